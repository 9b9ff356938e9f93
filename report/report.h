// The report of some runs: reads them, writes tables and draws pictures.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/device.h"

namespace r2pac {

struct ReportOptions {
  std::vector<std::string> runs;  ///< run folders and eval.json files
  std::string out = "report";     ///< folder to write into
  std::vector<std::string> data;  ///< DSRL files in place of those that the manifests name
  bool no_pictures = false;
  bool html = false;  ///< also report.html, one page with tables, pictures, runs and data
  /// Called before each picture with the number of those that are drawn, and of all. May end the program.
  std::function<void(std::size_t done, std::size_t total)> progress = {};
};

/// Writes table.md, table.tex, table.csv, evaluations.csv, episodes.csv, the pictures and the page; prints
/// the table, the names of the files, and notes on standard error about what is missing.
/// device  evaluates policies for their maps
/// Throws Error: usage without any scored run, after the pictures are drawn; as read_report_input(),
/// make_table() and draw_with_gnuplot(); disk where the folder or a file cannot be written.
void write_report(const ReportOptions& options, const std::shared_ptr<Device>& device);

}  // namespace r2pac
