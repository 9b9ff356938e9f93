// A server that is warm takes no memory for a request, with and without deadlines, alone and in batches.
#include <catch2/catch.hpp>
#include <thread>

#include "quiet.h"
#include "serving.h"
#include "serving/listening.h"
#include "serving/server.h"

using namespace r2pac;
using namespace r2pac::serving;

TEST_CASE("a request takes no memory") {
  if (kSanitized) return;
  REQUIRE(allocations_of([] { free(malloc(8)); }) + allocations_of([] { delete new int; }) >
          0);  // the counter counts
  for (const char* method : {"r2pac", "fisor", "caps"}) {
    INFO(method);
    const ServedRun f({"--method", method});
    UnixListener listener(f.socket());
    PolicyWatch watch(
        f.policy(),
        [](const std::filesystem::path& path) {
          const std::shared_ptr<Device> device = cpu_device(2);
          Policy policy = Policy::load(path, device);
          const Settings settings = policy.settings();
          return std::make_unique<ServedPolicy>(std::move(policy), settings, device);
        },
        [](const std::exception&) {});
    Server server(watch, {listener.descriptor()}, {.batch = 16});
    std::atomic<bool> end{false};
    std::jthread loop([&] { server.run([&] { return end.load(); }, [] {}); });
    const ServingClient client(f.socket());
    std::vector<ActQuestion> asked = ServedRun::questions(8, 1);
    Bytes frames;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      asked[i].safe_action = {0, 0};
      asked[i].fields.deadline = i % 3 == 0 ? 0 : i % 3 == 1 ? 1e5 : 1e-9;
      const Bytes one = act_frame(7, asked[i]);
      frames.insert(frames.end(), one.begin(), one.end());
    }
    const std::size_t answer = sizeof(Header) + sizeof(AnswerFields) + ServedRun::kAction * sizeof(float);
    Bytes answers(asked.size() * answer);
    const auto ask = [&] {
      for (int k = 0; k < 30; ++k) {
        client.send(frames);
        if (!client.take(answers)) return;
      }
    };
    ask();
    CHECK(allocations_of(ask) == 0);
    end = true;
    loop.join();
    CHECK(server.counters().refused == 0);
    CHECK(server.counters().requests == 480);
    CHECK(server.counters().answers[1] >= 320);  // those without a deadline, and those with an ample one
  }
}
