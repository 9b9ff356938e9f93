// One command for each verb that writes, on a small run, with the places that it writes to.
#pragma once

#include <string>
#include <vector>

#include "small_run.h"

namespace r2pac {

struct WritingVerb {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<std::string> outputs;  ///< files
  bool reads_hdf5 = false;
};

/// The verbs besides `train`, each with its outputs in the folder `out`, which is there.
inline std::vector<WritingVerb> writing_verbs(const SmallRun& f, const std::string& policy,
                                              const std::string& out) {
  const auto at = [&](const std::string& name) { return out + "/" + name; };
  return {
      {"make", {"data", "make", "reach-avoid", "-o", at("made.hdf5"), "--episodes", "20"}, {at("made.hdf5")}},
      {"convert",
       {"data", "convert", f.data, "--max-cost", "20", "-o", at("converted.hdf5")},
       {at("converted.hdf5")},
       true},
      {"eval",
       {"eval", policy, "--env", "reach-avoid", "--episodes", "3", "--flow-steps", "2", "--candidates", "2",
        "--threads", "1", "-o", at("scores.json")},
       {at("scores.json")}},
      {"values",
       {"values", policy, "--data", f.data, "--threads", "1", "-o", at("values.csv")},
       {at("values.csv")},
       true},
      {"trace",
       {"trace", "--data", f.data, "--hidden", "8", "--batch", "8", "--steps", "1", "--threads", "1", "-o",
        at("trace.safetensors")},
       {at("trace.safetensors")},
       true},
      {"diagnose",
       {"diagnose", policy, "--data", f.data, "--threads", "1", "-o", at("diagnosis.json")},
       {at("diagnosis.json")},
       true},
      {"ope",
       {"ope",          policy, "--data",    f.data,        "--episodes", "3", "--flow-steps", "2",
        "--candidates", "2",    "--members", "4",           "--hidden",   "8", "--steps",      "5",
        "--threads",    "1",    "-o",        at("ope.json")},
       {at("ope.json")},
       true},
      {"report",
       {"report", policy, "--no-pictures", "-o", at("report")},
       {at("report/table.md"), at("report/table.tex"), at("report/table.csv"), at("report/evaluations.csv"),
        at("report/episodes.csv")}},
  };
}

}  // namespace r2pac
