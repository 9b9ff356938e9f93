#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "experiment/plan.h"
#include "storage/json.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Job& job) {
  return {{"id", job.id},
          {"kind", job.kind},
          {"label", job.label},
          {"argv", job.argv},
          {"inputs", job.inputs},
          {"outputs", job.outputs},
          {"record", job.record},
          {"threads", job.threads},
          {"memory_mb", job.memory_mb},
          {"minutes", std::round(10000 * job.minutes) / 10000},
          {"gpu", job.gpu}};
}

Job to_job(const nlohmann::json& json) {
  Job job;
  json.at("id").get_to(job.id);
  json.at("kind").get_to(job.kind);
  json.at("label").get_to(job.label);
  json.at("argv").get_to(job.argv);
  json.at("inputs").get_to(job.inputs);
  json.at("outputs").get_to(job.outputs);
  json.at("record").get_to(job.record);
  json.at("threads").get_to(job.threads);
  json.at("memory_mb").get_to(job.memory_mb);
  json.at("minutes").get_to(job.minutes);
  json.at("gpu").get_to(job.gpu);
  return job;
}

}  // namespace

std::string plan_lines(const Plan& plan) try {
  std::string text;
  for (const Job& job : plan.jobs) {
    Json json = to_json(job);
    if (job.kind == "report") {
      json["experiment"] = plan.experiment;
      json["title"] = plan.title;
      json["size"] = plan.size;
      json["report"] = plan.report;
      json["cells"] = Json::array();
      for (const PlannedCell& c : plan.cells) {
        json["cells"].push_back({{"task", c.task},
                                 {"suite", c.suite},
                                 {"column", c.column},
                                 {"seed", c.seed},
                                 {"train", c.train},
                                 {"score", c.score}});
        if (c.not_installed) json["cells"].back()["not_installed"] = true;
      }
    }
    text += json.dump() + "\n";
  }
  return text;
} catch (const Json::exception&) {
  throw Error(ExitCode::usage, "the name of a folder or file is not UTF-8", "", "give it another name");
}

Plan read_plan(const std::string& text, const std::string& where) {
  constexpr JsonLimits kLimits{std::size_t{1} << 28, 6, std::size_t{1} << 24};
  Plan plan;
  std::size_t line = 0;
  try {
    for (std::size_t begin = 0; begin < text.size();) {
      ++line;
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const nlohmann::json json = read_json(std::string_view(text).substr(begin, end - begin), kLimits);
      begin = end + 1;
      plan.jobs.push_back(to_job(json));
      if (plan.jobs.back().kind != "report") continue;
      json.at("experiment").get_to(plan.experiment);
      json.at("title").get_to(plan.title);
      json.at("size").get_to(plan.size);
      json.at("report").get_to(plan.report);
      for (const nlohmann::json& c : json.at("cells"))
        plan.cells.push_back({c.at("task"), c.at("suite"), c.at("column"), c.at("seed"), c.at("train"),
                              c.at("score"), c.value("not_installed", false)});
    }
  } catch (const std::exception&) {  // JsonFault, or a member that is missing or of another kind
    throw Error(ExitCode::settings, "this line is no job of a plan", where + ":" + std::to_string(line),
                "make the plan anew with `r2pac experiment run`");
  }
  return plan;
}

}  // namespace r2pac
