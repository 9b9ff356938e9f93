#include "experiment/report.h"

#include <filesystem>

#include "experiment/figures.h"
#include "experiment/scoreboard.h"
#include "report/markup.h"
#include "storage/atomic_file.h"

namespace r2pac {

namespace fs = std::filesystem;

ExperimentTables write_experiment_tables(const Plan& plan, const std::string& folder) {
  ExperimentTables tables{write_scoreboard(plan, folder),
                          {"table.md", "table.tex", "table.html", "table.csv"}};
  const std::vector<TimingRow> timing = experiment_timing(plan, method_curves(plan));
  if (timing.empty()) return tables;
  const std::string markdown = markdown_of(timing_table(timing, kMarkdown));
  tables.markdown += "\n" + markdown;
  const auto write = [&](const char* name, const std::string& text) {
    write_file_atomically(fs::path(folder) / name, text);
    tables.files.emplace_back(name);
  };
  write("timing.md", markdown);
  write("timing.tex", latex_of(timing_table(timing, kLatex)));
  write("timing.csv", timing_csv(timing));
  return tables;
}

std::vector<std::string> draw_experiment(const Plan& plan, const std::string& folder,
                                         const PictureProgress& progress) {
  const std::vector<Picture> pictures = experiment_pictures(plan, method_curves(plan));
  std::vector<std::string> files;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (progress) progress(i, pictures.size());
    std::vector<std::string> paths;
    for (const char* ending : {".png", ".pdf"}) {
      files.push_back(pictures[i].name + ending);
      paths.push_back((fs::path(folder) / files.back()).string());
    }
    pictures[i].draw(paths);
  }
  if (progress) progress(pictures.size(), pictures.size());
  return files;
}

}  // namespace r2pac
