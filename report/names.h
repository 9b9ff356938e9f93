// How methods and variants are called and coloured: the same in every table and picture, without names of
// code.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "settings/settings.h"

namespace r2pac {

struct MethodTitle {
  std::string_view method, title;
};
/// Of the methods that this program has, and of some that it has not.
inline constexpr MethodTitle kMethodTitles[] = {{"r2pac", "R2PAC"},
                                                {"safe-chunks", "Safe chunks"},
                                                {"budgeted", "Budgeted"},
                                                {"cloning", "Flow cloning"},
                                                {"bc", "BC"},
                                                {"bc-safe", "BC-safe"},
                                                {"cpq", "CPQ"},
                                                {"coptidice", "COptiDICE"},
                                                {"caps", "CAPS"},
                                                {"fisor", "FISOR"},
                                                {"bcrl", "BCRL"},
                                                {"cdt", "CDT"}};

/// How a method is called in tables and pictures: "R2PAC" for `r2pac`; others by their own name.
std::string method_title(const std::string& method);

/// The parts "key=value" of a text of variant_texts().
std::vector<std::string> variant_parts(const std::string& variant);

/// A method with the parts in which it differs from others, for people: "R2PAC, h = 5" for "chunk_length=5".
std::string variant_name(const std::string& method, const std::vector<std::string>& parts);

/// The number of each name's line_style(). A method has its own, whoever stands beside it; R2PAC and the
/// variant "ours" share one. Other names take the least numbers that are left, in their order.
std::vector<std::size_t> looks_of(const std::vector<std::string>& names);

/// Names and looks of all trainings that a report is about.
class VariantLooks {
 public:
  struct Look {
    std::string name;
    std::size_t number = 0;  ///< of line_style()
  };
  /// trainings  may have equal ones
  explicit VariantLooks(const std::vector<const Settings*>& trainings);
  /// Of one of these trainings; seed, task and logging do not matter. Throws std::out_of_range for another.
  const Look& of(const Settings& training) const;

 private:
  std::map<std::string, Look> looks_;
};

}  // namespace r2pac
