// Moving pictures of evaluations: real films of the real simulators, with the scores of an evaluation without
// them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "envs/child_environment.h"
#include "python_or_skip.h"
#include "report/film.h"
#include "shell_output.h"
#include "small_run.h"

using namespace r2pac;

namespace {

bool runs(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1 </dev/null").c_str()) == 0;
}

struct FfmpegOrSkip : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override {
    if (runs("ffmpeg -version") && runs("ffprobe -version")) return;
    std::printf("skipped: there is no ffmpeg (./setup.sh --render)\n");
    std::exit(77);
  }
};

/// What ffprobe says of a film, whose pictures it counts.
nlohmann::json probe(const std::string& film) {
  const std::string said = output_of("ffprobe -v error -count_frames -show_streams -of json '" + film + "'");
  return nlohmann::json::parse(said).at("streams").at(0);
}

/// Every so many pictures of a film, three bytes to a pixel.
std::vector<std::string> pictures_of(const std::string& film, std::size_t bytes) {
  const std::string all =
      output_of("ffmpeg -v error -i '" + film + "' -f rawvideo -pix_fmt rgb24 pipe:1 </dev/null");
  REQUIRE(all.size() % bytes == 0);
  std::vector<std::string> pictures;
  for (std::size_t at = 0; at < all.size(); at += bytes) pictures.push_back(all.substr(at, bytes));
  return pictures;
}

/// The greatest difference of two values of a colour, 0 to 255.
int span_of(const std::string& picture) {
  const auto [least, most] = std::ranges::minmax(std::vector<unsigned char>(picture.begin(), picture.end()));
  return most - least;
}

void skip_without_bullet() {
  skip_unless_python_runs(simulators_python(), "import numpy, gymnasium, bullet_safety_gym, h5py");
}

/// A policy of BallRun, of a few episodes and steps. BallRun's episodes have 100 steps.
struct BallRun {
  ScratchFolder folder;
  std::string run = folder / "run";
  std::vector<std::string> eval = {"eval", run, "--env", "BallRun", "--episodes", "3"};

  BallRun() {
    skip_without_bullet();
    const std::string data = folder / "ball.hdf5";
    REQUIRE(runs("PYTHONPATH='" R2PAC_SOURCE_DIR "/python' '" + simulators_python() +
                 "' -m r2pac.collect --task BallRun --episodes 3 --candidates 3 --quiet -o '" + data + "'"));
    REQUIRE(run_program({"train", "--data", data, "--task", "BallRun", "--hidden", "24,24", "--batch", "64",
                         "--steps", "40", "--out", run})
                .status == 0);
  }
  std::vector<std::string> with(const std::vector<std::string>& more) const {
    std::vector<std::string> all = eval;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

/// A variable of the environment that is another one for a while.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace
CATCH_REGISTER_LISTENER(FfmpegOrSkip)

TEST_CASE("a film of a simulator is a video of its first episode, and the scores stay the same") {
  const BallRun ball;
  const std::string mp4 = ball.folder / "a film.mp4", gif = ball.folder / "ball.gif";
  REQUIRE(run_program(ball.with({"-o", ball.folder / "plain.json"})).status == 0);
  const ProgramResult said =
      run_program(ball.with({"--mp4", mp4, "--gif", gif, "-o", ball.folder / "filmed.json"}));
  REQUIRE(said.err == "");
  REQUIRE(said.status == 0);
  CHECK(content(ball.folder / "plain.json") == content(ball.folder / "filmed.json"));

  constexpr std::size_t kBytes = 480 * 360 * 3;
  for (const std::string& film : {mp4, gif}) {
    const nlohmann::json is = probe(film);
    CHECK(is["codec_name"] == (film == mp4 ? "h264" : "gif"));
    CHECK(is["width"] == 480);
    CHECK(is["height"] == 360);
    CHECK(is["nb_read_frames"] == "51");  // of steps 0, 2, ... 100
    CHECK(std::stod(is["duration"].get<std::string>()) == Approx(51 / 20.0));
    const std::vector<std::string> pictures = pictures_of(film, kBytes);
    REQUIRE(pictures.size() == 51);
    CHECK(span_of(pictures[0]) > 100);  // white floor, dark lines
    CHECK(pictures[0] != pictures[50]);
  }
  CHECK(is_regular_file(std::filesystem::path(mp4)));

  // Another episode, another film; of two limits, one behind the other.
  REQUIRE(run_program(ball.with({"--mp4", mp4, "--cost-limit", "5,10"})).status == 0);
  CHECK(probe(mp4)["nb_read_frames"] == "102");
}

TEST_CASE("no number of an episode depends on whether it was drawn") {
  skip_without_bullet();
  const char* path = std::getenv("PYTHONPATH");
  const Variable ours("PYTHONPATH", R2PAC_SOURCE_DIR "/python:" + std::string(path ? path : ""));
  const std::string id = GENERATE("SafetyCarCircle-v0", "SafetyDroneRun-v0", "SafetyAntRun-v0",
                                  "SafetyPointGoal1Gymnasium-v0", "SafetyHalfCheetahVelocityGymnasium-v1");
  CAPTURE(id);
  if (id.find("Gymnasium") != std::string::npos &&
      !runs("MUJOCO_GL=osmesa '" + simulators_python() + "' -c 'import mujoco.osmesa'")) {
    WARN("MuJoCo or OSMesa is not installed");
    return;
  }
  const auto episode = [&](const std::function<bool(const CameraPicture&)>& film) {
    ChildEnvironment environment({.id = id, .copies = 2, .processes = 1, .film = film});
    environment.reset(3, 0);
    std::vector<double> seen(environment.observations().begin(), environment.observations().end());
    std::vector<float> actions(2 * static_cast<std::size_t>(environment.action_dim()));
    for (int t = 0; t < 20; ++t) {
      for (std::size_t k = 0; k < actions.size(); ++k)
        actions[k] = 0.125f * static_cast<float>((7 * t + 3 * static_cast<int>(k)) % 13 - 6);
      environment.step(actions);
      for (const auto& part : {environment.rewards(), environment.costs()})
        seen.insert(seen.end(), part.begin(), part.end());
      seen.insert(seen.end(), environment.observations().begin(), environment.observations().end());
    }
    return seen;
  };
  const ScratchFolder folder;
  Film film;
  CHECK(episode([&](const CameraPicture& picture) { return film.add(picture); }) == episode({}));
  film.finish();
  film.write(folder / "film.mp4");
  CHECK(probe(folder / "film.mp4")["nb_read_frames"] == "11");
  const std::size_t bytes = id.find("Gymnasium") != std::string::npos ? 480 * 480 * 3 : 480 * 360 * 3;
  const std::vector<std::string> pictures = pictures_of(folder / "film.mp4", bytes);
  CHECK(span_of(pictures[0]) > 100);
  CHECK(pictures[0] != pictures[10]);
}

TEST_CASE("the built-in robot has its moving picture as a film, too") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  const std::string mp4 = f.path("robot.mp4"), gif = f.path("robot.gif");
  const ProgramResult told = run_program({"eval", f.run, "--episodes", "2", "--mp4", mp4, "--gif", gif});
  REQUIRE(told.status == 0);
  for (const std::string& path : {mp4, gif})
    CHECK(told.out.find("written to " + path + "\n") != std::string::npos);
  const nlohmann::json film = probe(mp4), picture = probe(gif);
  CHECK(film["codec_name"] == "h264");
  CHECK(film["width"] == picture["width"]);
  CHECK(film["height"] == picture["height"]);
  CHECK(std::stoi(film["nb_read_frames"].get<std::string>()) > 10);
  CHECK(run_program({"eval", f.run, "--mp4", f.path("x.avi")}).status == 2);
  CHECK(run_program({"eval", f.run, "--mp4", f.path("missing/x.mp4")}).status == 8);
  CHECK(run_program({"eval", "cmd:true", "--env", "reach-avoid", "--mp4", mp4}).status == 2);

  std::filesystem::remove(f.run + "/eval.json");
  const Variable poor("PATH", f.path("nowhere"));
  const ProgramResult refused = run_program({"eval", f.run, "--mp4", mp4});
  CHECK(refused.status == 2);
  CHECK(refused.err.find("./setup.sh --render") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(f.run + "/eval.json"));
}

TEST_CASE("without ffmpeg a film of a simulator is refused before anything is scored") {
  const BallRun ball;
  const std::string flag = GENERATE("--gif", "--mp4");
  const Variable poor("PATH", ball.folder / "nowhere");
  const ProgramResult refused = run_program(ball.with({flag, ball.folder / ("film." + flag.substr(2))}));
  CHECK(refused.status == 2);
  CHECK(refused.err.find("./setup.sh --render") != std::string::npos);
  CHECK(refused.err.find(flag) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(ball.run + "/eval.json"));
}

TEST_CASE("a film that is stopped leaves nothing behind") {
  const BallRun ball;
  const std::filesystem::path place = ball.folder.path / "tmp";
  std::filesystem::create_directory(place);
  const std::string mp4 = ball.folder / "film.mp4";
  const Variable temporary("TMPDIR", place.string());
  Process eval(ball.with({"--mp4", mp4}));
  const auto begun = [&] {  // beside it are the files of Process
    return std::ranges::any_of(std::filesystem::directory_iterator(place), [](const auto& entry) {
      return entry.path().filename().string().starts_with("r2pac-figure-");
    });
  };
  while (eval.running() && !begun()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  REQUIRE(begun());
  eval.signal(SIGINT);
  const ProgramResult said = eval.wait();
  CHECK(said.status == -SIGINT);
  CHECK(said.err.find("nothing was written") != std::string::npos);
  CHECK_FALSE(begun());
  CHECK_FALSE(std::filesystem::exists(mp4));
  CHECK_FALSE(std::filesystem::exists(ball.run + "/eval.json"));
}

TEST_CASE("a film that is stopped while ffmpeg encodes it leaves the scores alone") {
  const BallRun ball;
  std::filesystem::create_directories(ball.folder.path / "tmp");
  std::filesystem::create_directories(ball.folder.path / "bin");
  const std::string slow = ball.folder / "bin/ffmpeg", begun = ball.folder / "begun",
                    mp4 = ball.folder / "film.mp4";
  const std::string real = output_of("command -v ffmpeg");
  std::ofstream(slow) << "#!/bin/sh\ncase \" $* \" in *' libx264 '*) echo >'" << begun
                      << "'; exec sleep 100;; esac\nexec " << real.substr(0, real.find('\n')) << " \"$@\"\n";
  std::filesystem::permissions(slow, std::filesystem::perms::owner_all);
  const Variable path("PATH", (ball.folder / "bin") + ":" + std::getenv("PATH"));
  const Variable temporary("TMPDIR", ball.folder / "tmp");
  Process eval(ball.with({"--mp4", mp4}));
  while (eval.running() && !std::filesystem::exists(begun))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  eval.signal(SIGTERM);
  const ProgramResult said = eval.wait(20);
  CHECK(said.status == -SIGTERM);
  CHECK(said.err.find("the scores are complete") != std::string::npos);
  CHECK(std::filesystem::exists(ball.run + "/eval.json"));
  CHECK_FALSE(std::filesystem::exists(mp4));
  for (const auto& entry : std::filesystem::directory_iterator(ball.folder.path / "tmp"))
    CHECK_FALSE(entry.path().filename().string().starts_with("r2pac-figure-"));
}

TEST_CASE("a film is of pictures of one size, and ends after two minutes") {
  CameraPicture picture{2, 2, std::vector<std::uint8_t>(12, 7)};
  {
    Film film;
    CHECK_THROWS_AS(film.finish(), InvalidArgument);
    CHECK(film.add(picture));
    CHECK_THROWS_AS(film.add({1, 2, std::vector<std::uint8_t>(6)}), Error);
  }
  Film film;
  for (int i = 0; i < 2400; ++i) REQUIRE(film.add(picture));
  CHECK_FALSE(film.add(picture));
  film.finish();
  const ScratchFolder folder;
  film.write(folder / "long.gif");
  CHECK(probe(folder / "long.gif")["duration"] == "120.000000");
  CHECK_THROWS_AS(film.write(folder / "missing/x.gif"), Error);

  bool stop = false;
  Film stopped([&] { return stop; });
  stopped.add(picture);
  stop = true;
  CHECK_THROWS_AS(stopped.finish(), Interrupted);
}
