#include "report/names.h"

#include <algorithm>
#include <optional>
#include <set>

#include "report/table.h"

namespace r2pac {
namespace {

/// Methods in the order of their looks, by title. The demo's picture has the first two so.
constexpr std::string_view kLooks[] = {"R2PAC",     "Flow cloning", "BC",       "BC-safe",        "CPQ",
                                       "COptiDICE", "Safe chunks",  "Budgeted", "R2PAC (region)", "CAPS",
                                       "FISOR",     "CDT",          "BCRL"};

/// Settings that the paper has a symbol or a word for.
struct Symbol {
  std::string_view key, symbol;
};
constexpr Symbol kSymbols[] = {{"chunk_length", "h"},
                               {"penalty", "C"},
                               {"discount", "gamma"},
                               {"expectile", "tau"},
                               {"num_candidates", "candidates"},
                               {"guidance_scale", "guidance"}};

std::string words_of(std::string_view key) {
  for (const Symbol& known : kSymbols)
    if (known.key == key) return std::string(known.symbol);
  std::string words(key);
  std::ranges::replace(words, '_', ' ');
  return words;
}

std::string words_of_part(const std::string& part) {
  const std::size_t equal = part.find('=');
  if (equal == std::string::npos) return part;
  const std::string value = part.substr(equal + 1), words = words_of(part.substr(0, equal));
  return value == "preset" ? words + " of the task" : words + " = " + value;
}

/// All that tells one training from another.
std::string key_text(const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : training_keys(settings)) text += name + "=" + value + "\n";
  return text;
}

std::optional<std::size_t> known_look(const std::string& name) {
  if (name == "ours") return 0;
  const auto* const found = std::ranges::find(kLooks, name);
  if (found == std::end(kLooks)) return std::nullopt;
  return static_cast<std::size_t>(found - std::begin(kLooks));
}

}  // namespace

std::string method_title(const std::string& method) {
  for (const MethodTitle& known : kMethodTitles)
    if (known.method == method) return std::string(known.title);
  return method;
}

std::vector<std::string> variant_parts(const std::string& variant) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < variant.size();) {
    const std::size_t end = std::min(variant.find(", ", begin), variant.size());
    parts.push_back(variant.substr(begin, end - begin));
    begin = end + 2;
  }
  return parts;
}

std::string variant_name(const std::string& method, const std::vector<std::string>& parts) {
  std::string name = method_title(method);
  for (const std::string& part : parts)
    if (!part.starts_with("method=")) name += ", " + words_of_part(part);
  return name;
}

std::vector<std::size_t> looks_of(const std::vector<std::string>& names) {
  std::set<std::size_t> taken;
  for (const std::string& name : names)
    if (const auto look = known_look(name)) taken.insert(*look);
  std::vector<std::size_t> looks;
  for (const std::string& name : names) {
    std::size_t look = known_look(name).value_or(0);
    if (!known_look(name))
      while (!taken.insert(look).second) ++look;
    looks.push_back(look);
  }
  return looks;
}

VariantLooks::VariantLooks(const std::vector<const Settings*>& trainings) {
  std::vector<VariantKeys> keys;
  for (const Settings* settings : trainings) keys.push_back(training_keys(*settings));
  const std::vector<std::string> variants = variant_texts(keys);
  std::vector<std::string> order, names;
  for (std::size_t i = 0; i < trainings.size(); ++i) {
    const std::string text = key_text(*trainings[i]);
    if (!looks_.emplace(text, Look()).second) continue;
    order.push_back(text);
    names.push_back(variant_name(method_of_training(*trainings[i]), variant_parts(variants[i])));
  }
  const std::vector<std::size_t> looks = looks_of(names);
  for (std::size_t i = 0; i < order.size(); ++i) looks_[order[i]] = {names[i], looks[i]};
}

const VariantLooks::Look& VariantLooks::of(const Settings& training) const {
  return looks_.at(key_text(training));
}

}  // namespace r2pac
