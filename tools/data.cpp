#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {

void add_data(CLI::App& app, Action& action) {
  CLI::App* data = add_verb_group(app, "data", "Make, convert, describe, check and draw data sets",
                                  "r2pac data info FILE.hdf5");
  for (AddVerb* add : kDataVerbs) add(*data, action);
}

}  // namespace r2pac
