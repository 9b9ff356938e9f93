// Numbers that are not finite: none is written, none is read, and no option takes one.
#include <cmath>
#include <limits>

#include "failure.h"
#include "put_number.h"
#include "small_run.h"
#include "storage/generations.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a file with a number that is not finite is not written, and the old one stays") {
  const ScratchFolder scratch;
  const fs::path path = scratch.path / "file";
  write_file_atomically(path, "as it was");
  const double far = std::numeric_limits<double>::max(), least = std::numeric_limits<double>::denorm_min();
  for (const float value : {kNaN, kInfinity, -kInfinity}) {
    const float numbers[] = {1, value, 2};
    SafetensorsWriter writer;
    writer.add<float>("weights", {3}, numbers);
    CHECK(failure([&] {
            writer.write(path);
          }).starts_with("7 | tensor `weights` holds a number that is not finite | " + path.string()));
    const double wide[] = {static_cast<double>(value), far};
    SafetensorsWriter of_doubles;
    of_doubles.add<double>("moments", {2}, wide);
    CHECK(failure([&] { of_doubles.write(path); }).starts_with("7 | tensor `moments`"));
  }
  CHECK(content(path) == "as it was");
  const double extremes[] = {far, -far, least, -0.0};
  const std::uint32_t bits[] = {0x7F800000, 0xFFFFFFFF};  // no floats, though they look like such
  SafetensorsWriter writer;
  writer.add<double>("extremes", {4}, extremes);
  writer.add<std::uint32_t>("bits", {2}, bits);
  writer.write(path);
  CHECK_NOTHROW(SafetensorsFile::read(path).require_finite());
}

TEST_CASE("half-size numbers are looked at, too") {
  const auto refused = [](StoredType type, std::uint16_t bits) {
    const ScratchFolder scratch;
    SafetensorsWriter writer;
    writer.add("half", type, {1}, &bits, sizeof bits);
    return failure([&] { writer.write(scratch.path / "file"); }).starts_with("7 | ");
  };
  CHECK(refused(StoredType::f16, 0x7C00));
  CHECK(refused(StoredType::f16, 0xFE01));
  CHECK_FALSE(refused(StoredType::f16, 0x7BFF));
  CHECK(refused(StoredType::bf16, 0x7F80));
  CHECK(refused(StoredType::bf16, 0xFFC0));
  CHECK_FALSE(refused(StoredType::bf16, 0x7C00));
  CHECK_FALSE(refused(StoredType::u16, 0xFFFF));
}

TEST_CASE("a checkpoint with such a number in any tensor gives way to the older one, whoever reads it") {
  const SmallRun f;
  const std::vector<std::string> more = {"--set", "checkpoint_every=30"};
  REQUIRE(run_program(f.train(more)).status == 0);
  const fs::path newest = list_generations(f.run + "/checkpoints").at(0).path;
  const std::string whole = content(newest), policy = content(f.run + "/policy.safetensors");
  std::size_t tried = 0;
  const std::vector<StoredTensor> tensors = SafetensorsFile::read(newest).tensors();
  for (const StoredTensor& tensor : tensors) {
    if (tensor.type != StoredType::f32 || tensor.bytes() == 0) continue;
    INFO(tensor.name);
    put_number(newest, tensor.name, tensor.bytes() / 4 - 1, tried % 2 == 0 ? kNaN : -kInfinity);
    CHECK(failure([&] {
            SafetensorsFile::read(newest).require_finite();
          }).starts_with("5 | tensor `" + tensor.name + "` holds a number that is not finite"));
    std::vector<std::string> warnings;
    const auto loaded = newest_valid_generation(f.run + "/checkpoints", {},
                                                [&](const std::string& text) { warnings.push_back(text); });
    REQUIRE(loaded);
    CHECK(loaded->generation.path != newest);
    CHECK(warnings.size() == 1);
    if (++tried % 20 == 1) {
      const ProgramResult sampled = run_program({"sample", newest.string(), "--obs", "-"});
      CHECK(sampled.status == 5);
      const ProgramResult resumed =
          run_program(f.train({"--out", f.path("new"), "--resume", newest.string(), more[0], more[1]}));
      CHECK(resumed.status == 5);
      CHECK(has(resumed.err, "is not finite"));
    }
    write_file_atomically(newest, whole);
  }
  CHECK(tried > 30);

  put_number(newest, "target/q_r.0.bias", 0, kNaN);  // a network that the last stage does not train
  const ProgramResult resumed = run_program(f.train(more));
  CHECK(resumed.status == 0);
  CHECK(has(resumed.err, "; trying the older one"));
  const bool same = content(f.run + "/policy.safetensors") == policy;
  CHECK(same);
}

TEST_CASE(
    "a policy with such a number is refused by every verb that computes with it, and inspect counts it") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  const fs::path policy = fs::path(f.run) / "policy.safetensors";
  put_number(policy, "v_c.0.weight", 3, kInfinity);
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"sample", f.run, "--obs", "-"},
                                             {"eval", f.run, "--env", "reach-avoid", "--episodes", "1"},
                                             {"values", f.run, "--data", f.data, "-o", f.path("v.csv")}}) {
    const ProgramResult result = run_program(verb);
    INFO(result.err);
    CHECK(result.status == 5);
    CHECK(has(result.err, "tensor `v_c.0.weight` holds a number that is not finite"));
  }
  CHECK(run_program({"inspect", policy.string()}).status == 0);
}

TEST_CASE("no option takes NaN, infinity or a number beyond its range") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  std::ofstream(f.path("observations")) << "[0,0,0,0,0,0,0]\n";
  const std::vector<std::string> eval = {"eval", f.run, "--env", "reach-avoid", "--episodes", "1"};
  const std::vector<std::string> sample = {"sample", f.run, "--obs", f.path("observations")};
  const std::vector<std::string> train = f.train({"--out", f.path("never")});
  struct Option {
    std::vector<std::string> command;
    std::string name;
  };
  std::vector<Option> options = {{eval, "--cost-limit"},
                                 {eval, "--env-timeout"},
                                 {eval, "--env-start-timeout"},
                                 {eval, "--guidance"},
                                 {eval, "--threshold"},
                                 {sample, "--guidance"},
                                 {sample, "--threshold"},
                                 {{"data", "convert", f.data, "-o", f.path("c.hdf5")}, "--max-cost"},
                                 {{"data", "info", f.data}, "--cost-limit"},
                                 {{"calibrate", f.run, "--data", f.data}, "--miss-rate"},
                                 {train, "--hold-out"}};
  for (const Option& option : options)
    for (const std::string value :
         {"nan", "NaN", "-nan", "inf", "-inf", "infinity", "1e999", "0x1p3", "1e300"}) {
      std::vector<std::string> arguments = option.command;
      arguments.push_back(option.name + "=" + value);
      const ProgramResult result = run_program(arguments);
      INFO(option.name << " " << value << ": " << result.err);
      CHECK(result.status == 2);
      CHECK_FALSE(has(result.err, "internal error"));
      CHECK(result.out.empty());
    }
  for (const char* key : {"alpha", "discount", "guidance_scale", "region_bound", "cost_limit"})
    for (const std::string value : {"nan", "inf", "-inf", "1e999"}) {
      const ProgramResult result =
          run_program(f.train({"--out", f.path("never"), "--set", key + ("=" + value)}));
      INFO(key << " " << value << ": " << result.err);
      CHECK(result.status == 4);
    }
  CHECK_FALSE(fs::exists(f.path("never")));
}

TEST_CASE("an answer holds finite numbers, or is an error") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  // Finite weights whose products are not: the file is whole, and acting finds out.
  const std::string absurd = "[3e38,3e38,-3e38,3e38,3e38,-3e38,3e38]\n";
  std::ofstream(f.path("observations")) << absurd << "[0,0,0,0,0,0,0]\n";
  const ProgramResult result = run_program({"sample", f.run, "--obs", f.path("observations")});
  INFO(result.out << result.err);
  CHECK(result.status == 3);
  CHECK(result.out.starts_with(
      "{\"error\":\"the policy's answer holds a number that is not finite\",\"line\":1}\n"));
  CHECK(has(result.out, "\n{\"action\":["));
  CHECK_FALSE(has(result.out, "null"));
  const ProgramResult strict = run_program({"sample", f.run, "--obs", f.path("observations"), "--strict"});
  CHECK(strict.status == 7);
  CHECK(strict.out.empty());
}
