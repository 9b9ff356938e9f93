// Maps of values over states, which a Python program draws beside this one.
#pragma once

#include <string>
#include <vector>

#include "experiment/plan.h"

namespace r2pac {

inline constexpr char kValueMapsReport[] = "umap";  ///< the `report` whose pictures draw_value_maps() draws

/// A task with its two finished trainings and their data.
struct ValueMap {
  std::string task;
  std::string plain, penalised;  ///< run folders: without and with the penalty
  std::string data;
};

struct ValueMaps {
  std::vector<ValueMap> maps;        ///< one for each task, of the first seed that has both trainings
  std::vector<std::string> missing;  ///< why a task has none, one sentence each
};

/// The maps that can be drawn by now. The settings of a run say whether it has the penalty; of several
/// columns the first one counts. Throws Error(checkpoint) for a run with a fault.
ValueMaps value_maps(const Plan& plan);

/// Interpreter with what draws maps; empty where it is not installed (`./setup.sh --umap`).
std::string umap_python();

/// Draws umap-TASK.png and .pdf of each map into the folder, by r2pac.value_map in `python`. Returns the
/// names of the files. Without `python` it draws nothing, and `maps.missing` gets a sentence. The program's
/// own messages go to stderr. Throws Error: environment where the program fails.
std::vector<std::string> draw_value_maps(ValueMaps& maps, const std::string& folder,
                                         const std::string& python);

}  // namespace r2pac
