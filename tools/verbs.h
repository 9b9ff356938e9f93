// The verbs of the `r2pac` command. Each has a file of its own name: its flags, and what it does.
#pragma once

namespace CLI {
class App;
}

namespace r2pac {

struct Action;

/// Declares a verb with its flags below `parent`. Chosen on the command line, the verb sets `action`, which
/// outlives the app.
using AddVerb = void(CLI::App& parent, Action& action);

AddVerb add_demo, add_data, add_train, add_eval, add_report, add_diagnose, add_calibrate, add_ope, add_sample,
    add_serve, add_values, add_trace, add_inspect, add_config, add_methods, add_bench, add_completion,
    add_manual, add_experiment, add_sweep;
/// In the order of `r2pac --help`.
inline constexpr AddVerb* kVerbs[] = {add_demo,       add_data,    add_train,    add_eval,       add_report,
                                      add_experiment, add_sweep,   add_diagnose, add_calibrate,  add_ope,
                                      add_sample,     add_serve,   add_values,   add_trace,      add_inspect,
                                      add_config,     add_methods, add_bench,    add_completion, add_manual};

AddVerb add_data_convert, add_data_make, add_data_info, add_data_check, add_data_picture;
/// Below `r2pac data`.
inline constexpr AddVerb* kDataVerbs[] = {add_data_convert, add_data_make, add_data_info, add_data_check,
                                          add_data_picture};

}  // namespace r2pac
