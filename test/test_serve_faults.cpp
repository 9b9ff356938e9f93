// `r2pac serve` and clients that die, stall, flood or send garbage; sockets that are taken; observations that
// cannot be answered. Others go on being answered.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

#include "serving.h"

using namespace r2pac;
using namespace r2pac::serving;

namespace {

/// What the server says before it hangs up.
Heard last_words(const ServingClient& client) {
  for (;;) {
    const Heard heard = client.hear().value();
    if (heard.header.type != Type::failure) continue;
    CHECK_FALSE(client.hear().has_value());
    return heard;
  }
}

}  // namespace

TEST_CASE("a request that cannot be is refused in its answer, and the connection goes on") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f);
  const ServingClient client(f.socket());
  const ActQuestion good = ServedRun::questions(1, 1)[0];
  const std::vector<float> action = client.ask(1, good).action();
  const auto refused = [&](Code code, const std::string& text, const auto& change) {
    INFO(text);
    ActQuestion question = good;
    change(question);
    const Heard heard = client.ask(2, question);
    CHECK(heard.header.type == Type::refusal);
    CHECK(heard.header.number == 2);
    CHECK(heard.code() == code);
    CHECK_THAT(heard.text(), Catch::Contains(text));
    CHECK(client.ask(3, good).action() == action);
  };
  for (const float value : {NAN, INFINITY})
    refused(Code::observation, "not finite", [&](ActQuestion& q) { q.observation[3] = value; });
  for (const std::size_t length : {std::size_t{0}, std::size_t{6}, std::size_t{8}, std::size_t{10000}})
    refused(Code::observation, "another length", [&](ActQuestion& q) { q.observation.resize(length); });
  refused(Code::usage, "below 0", [](ActQuestion& q) { q.fields.step = -1; });
  refused(Code::usage, "needs a safe action", [](ActQuestion& q) { q.fields.deadline = 1; });
  CHECK_THAT(server.end(), Catch::Contains("answers: full 9") && Catch::Contains("refused 8"));
}

TEST_CASE("of a batch only the request is refused whose answer is not finite") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--wait", "100"});
  const ServingClient client(f.socket()), other(f.socket());
  std::vector<ActQuestion> asked = ServedRun::questions(3, 1);
  const std::vector<float> action = f.sampled_action(f.run, asked[0]);
  asked[1].observation.assign(7, 3e38f);
  asked[2].observation.assign(7, -3e38f);
  asked[2].fields.deadline = 1e5;
  asked[2].safe_action = {0, 0};
  other.send(act_frame(1, asked[0]));
  for (std::uint32_t i : {0u, 1u, 0u, 2u}) client.send(act_frame(i, asked[i]));
  int finite = 0, refused = 0;
  for (int k = 0; k < 4; ++k) {
    const Heard heard = client.hear().value();
    if (heard.header.number == 0) {
      finite += heard.action() == action;
      continue;
    }
    CHECK(heard.header.type == Type::refusal);
    CHECK(heard.code() == Code::diverged);
    ++refused;
  }
  CHECK(finite == 2);
  CHECK(refused == 2);
  CHECK(other.hear().value().action() == action);
  server.end();
}

TEST_CASE("bytes that are no frame end their connection alone, with a reason") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f);
  const ServingClient other(f.socket());
  const ActQuestion good = ServedRun::questions(1, 1)[0];
  const std::vector<float> action = other.ask(1, good).action();
  const auto with = [&](std::size_t at, int value) {
    Bytes bytes = act_frame(1, good);
    bytes[at] = static_cast<std::byte>(value);
    return bytes;
  };
  Bytes garbage(100000);
  for (std::size_t i = 0; i < garbage.size(); ++i) garbage[i] = static_cast<std::byte>(i * i % 251);
  int broken = 0;
  for (const Bytes& bytes : {with(0, 'x'), with(4, 9), with(6, 2), with(11, 1), with(64, 99), garbage}) {
    const ServingClient client(f.socket());
    client.send(act_frame(8, good));  // what is right is answered
    client.send(bytes);
    CHECK(client.hear().value().action() == action);
    CHECK(last_words(client).code() == Code::protocol);
    CHECK(other.ask(2, good).action() == action);
    ++broken;
  }
  CHECK_THAT(server.end(), Catch::Contains("connections ended: protocol " + std::to_string(broken)));
}

TEST_CASE("clients that stall are dropped, and stop nobody") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--patience", "0.5"});
  const ActQuestion good = ServedRun::questions(1, 1)[0];
  const ServingClient other(f.socket()), silent(f.socket()), half(f.socket());
  const std::vector<float> action = other.ask(1, good).action();
  const Bytes bytes = act_frame(2, good);
  half.send(std::span(bytes).first(20));
  // One that never reads: the server takes no more than it has room for, so that this ends when it hangs up.
  const ServingClient deaf(f.socket());
  std::jthread flood([&] {
    while (deaf.send(bytes)) {
    }
  });
  CHECK(last_words(silent).code() == Code::stalled);
  CHECK(last_words(half).code() == Code::stalled);
  for (int i = 0; i < 50; ++i) CHECK(other.ask(3, good).action() == action);
  flood.join();
  sleep_ms(1000);  // a client that spoke may be silent as long as it likes
  CHECK(other.ask(4, good).action() == action);
  CHECK_THAT(server.end(), Catch::Contains("stalled 3"));
}

TEST_CASE("a client that floods is answered in order, and others meanwhile") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f);
  const ActQuestion good = ServedRun::questions(1, 1)[0];
  const ServingClient flood(f.socket()), other(f.socket());
  constexpr std::uint32_t kMany = 3000;
  std::jthread sender([&] {
    Bytes all;
    for (std::uint32_t i = 0; i < kMany; ++i) {
      const Bytes one = act_frame(i, good);
      all.insert(all.end(), one.begin(), one.end());
    }
    flood.send(all);
  });
  const std::vector<float> action = other.ask(1, good).action();
  for (std::uint32_t i = 0; i < kMany; ++i) {
    const Heard heard = flood.hear().value();
    if (heard.header.number != i || heard.action() != action) FAIL("answer " << i << " is another one");
    if (i % 300 == 0) CHECK(other.ask(2, good).action() == action);
  }
  CHECK_THAT(server.end(), Catch::Contains("refused 0"));
}

TEST_CASE("clients that die leave nothing behind") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--clients", "100"});
  const ActQuestion good = ServedRun::questions(1, 1)[0];
  const ServingClient other(f.socket());
  const std::vector<float> action = other.ask(1, good).action();
  const Bytes bytes = act_frame(2, good);
  for (int i = 0; i < 60; ++i) {
    const ServingClient dying(f.socket());
    if (i % 3 > 0)
      for (int k = 0; k < 5; ++k) dying.send(bytes);
    if (i % 3 > 1) dying.send(std::span(bytes).first(30));
    if (i % 7 == 0) CHECK(other.ask(3, good).action() == action);
  }
  const ServingClient half_closed(f.socket());  // says no more, but wants to hear
  half_closed.send(bytes);
  half_closed.say_no_more();
  CHECK(half_closed.hear().value().action() == action);
  CHECK_FALSE(half_closed.hear().has_value());
  CHECK(other.ask(4, good).action() == action);
  for (int i = 0; i < 100 && !server.warns(", 1 of them here", 100); ++i) server.signal(SIGUSR1);
  CHECK_THAT(server.end(), Catch::Contains("of 62 clients"));
}

TEST_CASE("more clients than there may be are told so") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--clients", "2"});
  const ActQuestion good = ServedRun::questions(1, 1)[0];
  const ServingClient first(f.socket());
  {
    const ServingClient second(f.socket());
    second.facts();
    for (int i = 0; i < 40; ++i) {
      const ServingClient third(f.socket());
      CHECK(last_words(third).code() == Code::crowded);
    }
    CHECK(second.ask(1, good).answer().source == 1);
  }
  CHECK(first.ask(1, good).answer().source == 1);
  for (int i = 0;; ++i) {  // the second one's place is free as soon as the server has seen that it left
    const ServingClient again(f.socket());
    again.send(info_frame(1));
    if (again.hear().value().header.type == Type::facts) break;
    REQUIRE(i < 1000);
  }
  CHECK_THAT(server.end(), Catch::Contains("crowded ") && !Catch::Contains("crowded 0,"));
}

TEST_CASE("a dead server's socket is taken over, a living one's is not, nor is what is no socket") {
  const ServedRun f({"--method", "r2pac"});
  const ActQuestion good = ServedRun::questions(1, 1)[0];
  const auto refused = [&](int status, const std::string& text) {
    const ProgramResult result = run_program(RunningServer::arguments(f, {}));
    CHECK(result.status == status);
    CHECK_THAT(result.err, Catch::Contains(text));
  };
  {
    RunningServer killed(f);
    struct stat file {};
    REQUIRE(::lstat(f.socket().c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0600);
    refused(4, "another server listens at this socket");
    CHECK(ServingClient(f.socket()).ask(1, good).answer().source == 1);
    killed.signal(SIGKILL);
    CHECK(killed.wait().status == -SIGKILL);
  }
  CHECK(std::filesystem::exists(f.socket()));
  {
    RunningServer server(f);
    CHECK(ServingClient(f.socket()).ask(1, good).answer().source == 1);
    server.end();
  }
  std::ofstream(f.socket()) << "mine";
  refused(2, "there is something else than a socket");
  CHECK(content(f.socket()) == "mine");
  CHECK_FALSE(std::filesystem::exists(f.socket() + ".lock"));
  std::filesystem::remove(f.socket());
  {
    // Somebody else's server, that is no r2pac.
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, f.socket().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket.get(), 1) == 0);
    refused(4, "another server listens at this socket");
  }
  CHECK(run_program({"serve", f.policy(), "--socket", f.path(std::string(200, 'x'))}).status == 2);
  CHECK(run_program({"serve", f.policy(), "--socket", f.path("none/s")}).status == 8);
  const ProgramResult none = run_program({"serve", f.path("none"), "--socket", f.path("t")});
  CHECK(none.status == 5);
  CHECK_FALSE(std::filesystem::exists(f.path("t")));
  CHECK_FALSE(std::filesystem::exists(f.path("t.lock")));
}
