#include <cstdio>
#include <filesystem>

#include "base/printable.h"
#include "data/dataset.h"
#include "report/composition.h"
#include "settings/settings.h"
#include "storage/atomic_file.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

struct PictureOptions {
  std::vector<std::string> files;
  std::string out = "composition.png";
  double cost_limit = -1;  ///< per episode; negative: each task's
};

int run_data_picture(const PictureOptions& options) {
  require_output(options.out);
  std::vector<DataPanel> panels;
  for (const std::string& file : options.files) {
    const std::optional<Task> task = task_from_file_name(file);
    const Dataset data = load_dataset(file);
    for (const std::string& warning : data.warnings)
      std::fprintf(stderr, "warning: %s: %s\n", printable(file).c_str(), printable(warning).c_str());
    panels.push_back({task ? std::string(task->alias) : std::filesystem::path(file).stem().string(),
                      data_cloud(data),
                      options.cost_limit >= 0 ? options.cost_limit
                      : task                  ? task->cost_limit
                                              : Settings().cost_limit});
  }
  draw_composition({options.out}, "Episodes of the data", panels);
  std::printf("%s\n", printable(options.out).c_str());
  return 0;
}

}  // namespace

void add_data_picture(CLI::App& data, Action& action) {
  const auto [verb, options] =
      add_verb(data, action, run_data_picture, "picture",
               "Draw return against cost of the episodes, with the cost limit, of one or many files",
               "r2pac data picture DATA_FOLDER/*.hdf5 -o composition.png");
  verb->add_option("files", options->files, "DSRL files (HDF5)")->required();
  verb->add_option("-o,--out", options->out, "Picture to write, .png, .pdf or .svg")
      ->capture_default_str()
      ->check(ends_in({".png", ".pdf", ".svg"}));
  verb->add_option("--cost-limit", options->cost_limit,
                   "Episode cost at which the line stands (each task's if not given)")
      ->check(number_in(0, 1e12));
}

}  // namespace r2pac
