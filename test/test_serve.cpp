// `r2pac serve`: it answers many clients with the bits of `sample`, in time where they say by when, and takes
// over a new policy while it answers.
#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

#include "serving.h"

using namespace r2pac;
using namespace r2pac::serving;
using Json = nlohmann::json;

namespace {

constexpr float kNone = 9;

void check_answer(const Heard& heard, const Json& expected) {
  const AnswerFields answer = heard.answer();
  CHECK(heard.action() == expected["action"].get<std::vector<float>>());
  CHECK(answer.source == 1);
  CHECK(answer.chunk_step == 0);
  CHECK(answer.q_cost == expected["q_c"].get<float>());
  CHECK(answer.q_reward == expected["q_r"].get<float>());
  CHECK(answer.v_cost == expected["v_c"].get<float>());
  CHECK(answer.v_reward == expected["v_r"].get<float>());
  CHECK(answer.safe == static_cast<int>(expected["safe"].get<bool>()));
  CHECK_FALSE(std::isnan(answer.bound));
  CHECK(answer.seconds > 0);
}

/// Replaces a file as programs do that must not be seen half-way.
void put(const std::string& bytes, const std::string& path) {
  std::ofstream(path + ".new", std::ios::binary) << bytes;
  std::filesystem::rename(path + ".new", path);
}

}  // namespace

TEST_CASE("many clients get the bits of `sample`, alone and in batches of all kinds") {
  const ServedRun f({"--method", "safe-chunks"});  // which reads the cost spent
  RunningServer server(f, {"--wait", "200", "--batch", "24"});
  constexpr std::size_t kClients = 4, kQuestions = 6;
  std::vector<std::vector<ActQuestion>> asked;
  std::vector<std::vector<Json>> expected;
  std::vector<ServingClient> clients;
  for (std::size_t k = 0; k < kClients; ++k) {
    asked.push_back(ServedRun::questions(kQuestions, k, k % 2 == 0));
    expected.push_back(f.sampled(f.run, asked.back()));
    clients.emplace_back(f.socket());
    CHECK(clients.back().facts().observation_length == ServedRun::kObservation);
  }
  for (std::size_t k = 0; k < kClients; ++k)
    for (std::size_t i = 0; i < kQuestions; ++i)
      clients[k].send(act_frame(static_cast<std::uint32_t>(10 * k + i), asked[k][i]));
  for (std::size_t k = 0; k < kClients; ++k)
    for (std::size_t i = 0; i < kQuestions; ++i) {
      INFO("client " << k << ", question " << i);
      const Heard heard = clients[k].hear().value();
      CHECK(heard.header.number == 10 * k + i);
      check_answer(heard, expected[k][i]);
    }
  ActQuestion unjudged = asked[0][1];
  unjudged.fields.judged = 0;
  unjudged.fields.deadline = 1e5;  // no machine is that slow
  unjudged.safe_action = {kNone, kNone};
  const Heard heard = clients[0].ask(1, unjudged);
  CHECK(heard.action() == expected[0][1]["action"].get<std::vector<float>>());
  CHECK(heard.answer().source == 1);
  CHECK(std::isnan(heard.answer().v_cost));
  CHECK(heard.answer().safe == -1);
  // All are there within the wait, so that the first batch is full or the second one has the rest.
  CHECK_THAT(server.end(),
             Catch::StartsWith("stopped\n25 requests in ") &&
                 Catch::Contains("answers: full 25, reduced 0, of a chunk 0, safe action 0; refused 0") &&
                 !Catch::Contains("25 requests in 25 batches"));
}

TEST_CASE("late, an answer is of fewer steps, of the last chunk, or the safe action, and says so") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--set", "flow_steps=8000", "--set", "num_candidates=1"});
  const ServingClient client(f.socket()), other(f.socket());
  const FactsFields facts = client.facts();
  CHECK(facts.flow_steps == 8000);
  ActQuestion question = ServedRun::questions(1, 5)[0];
  question.fields.step = 2;
  const Heard full = client.ask(1, question);
  CHECK(full.answer().source == 1);
  CHECK(full.answer().flow_steps == 8000);
  // Somewhere between all of the time and a step's share of it, there is time for some steps.
  question.safe_action = {0.25f, -0.5f};
  int reduced = 0;
  for (double deadline = full.answer().seconds; deadline > full.answer().seconds / 8000 && reduced == 0;
       deadline /= 2) {
    question.fields.deadline = deadline;
    const AnswerFields answer = client.ask(2, question).answer();
    if (answer.source == 2) reduced = answer.flow_steps;
  }
  CHECK(reduced > 0);
  CHECK(reduced < 8000);

  question.fields.deadline = 0;
  const std::string checksum = client.ask(3, question).checksum();
  question.fields.deadline = 1e-9;  // no machine is that fast
  const auto late = [&](const ServingClient& from, std::int64_t step, std::uint32_t episode = 0) {
    question.fields.step = step;
    question.fields.episode = episode;
    return from.ask(4, question);
  };
  for (std::uint32_t k = 1; k < facts.chunk_length; ++k) {
    const Heard heard = late(client, 2 + k);
    CHECK(heard.answer().source == 3);
    CHECK(heard.answer().chunk_step == static_cast<int>(k));
    CHECK(heard.checksum() == checksum);
    CHECK(heard.action() != question.safe_action);
  }
  const auto is_safe_action = [&](const Heard& heard) {
    return heard.answer().source == 4 && heard.answer().chunk_step == -1 &&
           heard.action() == question.safe_action;
  };
  CHECK(is_safe_action(late(client, 2 + facts.chunk_length)));  // the chunk has ended
  CHECK(is_safe_action(late(client, 2)));
  CHECK(is_safe_action(late(client, 3, 1)));                             // another episode
  CHECK(is_safe_action(late(other, 3)));                                 // another client's chunk
  const auto now = std::chrono::steady_clock::now().time_since_epoch();  // a request that was long under way
  question.fields.sent = std::chrono::nanoseconds(now - std::chrono::seconds(2)).count();
  question.fields.deadline = 1;
  CHECK(late(client, 3).answer().source == 3);
  CHECK_THAT(server.end(), Catch::Contains("deadlines missed: "));
}

TEST_CASE("several requests with deadlines share the time, the soonest first") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--set", "flow_steps=8000", "--set", "num_candidates=1", "--batch", "8"});
  const ServingClient client(f.socket());
  ActQuestion question = ServedRun::questions(1, 5)[0];
  const double all = client.ask(1, question).answer().seconds;
  question.safe_action = {kNone, kNone};
  question.fields.deadline = all;  // for one
  for (int k = 0; k < 8; ++k) client.send(act_frame(7, question));
  int decided = 0;
  for (int k = 0; k < 8; ++k) {
    const AnswerFields answer = client.hear().value().answer();
    decided += answer.source == 1 || answer.source == 2;
  }
  CHECK(decided >= 1);  // which ones depends on the machine
  // What is sent at once is there at once.
  Bytes frames;
  const double deadlines[] = {0, 2e5, 1e5, 3e5};
  for (std::uint32_t k = 0; k < 4; ++k) {
    question.fields.deadline = deadlines[k];
    const Bytes one = act_frame(k, question);
    frames.insert(frames.end(), one.begin(), one.end());
  }
  client.send(frames);
  for (const std::uint32_t number : {2u, 1u, 3u, 0u}) CHECK(client.hear().value().header.number == number);
  CHECK_THAT(server.end(), Catch::StartsWith("stopped\n13 requests in "));
}

TEST_CASE("a new policy is taken over under load, a bad one is not") {
  const ServedRun f({"--method", "r2pac"});
  const std::string first = content(f.policy()), copy = f.path("first.safetensors");
  std::ofstream(copy, std::ios::binary) << first;
  const std::string second = f.path("second");
  REQUIRE(run_program(f.train({"--method", "cloning", "--out", second})).status == 0);
  const ActQuestion question = ServedRun::questions(1, 3)[0];
  const std::vector<float> old_action = f.sampled_action(copy, question),
                           new_action = f.sampled_action(second, question);
  REQUIRE(old_action != new_action);

  RunningServer server(f);
  std::atomic<bool> end{false};
  std::atomic<int> answered{0}, wrong{0};
  std::vector<std::jthread> load;
  for (int k = 0; k < 3; ++k)
    load.emplace_back([&] {
      const ServingClient client(f.socket());
      const std::string before = client.ask(1, question).checksum();
      while (!end) {
        const Heard heard = client.ask(2, question);
        wrong += heard.action() != (heard.checksum() == before ? old_action : new_action);
        ++answered;
      }
    });
  const ServingClient client(f.socket());
  const auto until = [&](const std::vector<float>& action) {
    for (int i = 0; i < 3000; ++i, sleep_ms(10))
      if (client.ask(1, question).action() == action) return true;
    return false;
  };
  CHECK(until(old_action));
  put(content(second + "/policy.safetensors"), f.policy());
  CHECK(until(new_action));
  const std::string checksum = client.ask(1, question).checksum();
  CHECK(std::string(client.facts().method) == "cloning");

  put(first.substr(0, first.size() / 2), f.policy());
  CHECK(server.warns("warning: the new policy is refused, the old one stays", 30000));
  const int then = answered;
  while (answered < then + 50 && server.running()) sleep_ms(5);
  sleep_ms(500);  // in which it is not refused again
  CHECK(client.ask(1, question).checksum() == checksum);
  put(first, f.policy());
  CHECK(until(old_action));
  end = true;
  load.clear();
  CHECK(wrong == 0);
  const std::string words = server.end();
  CHECK_THAT(words, Catch::Contains("policies taken over: 2, refused: 1"));
}

TEST_CASE("SIGUSR1 prints the counters, and SIGTERM answers what is there") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--batch", "2"});
  const ServingClient client(f.socket()), idle(f.socket());
  const std::vector<ActQuestion> asked = ServedRun::questions(40, 1);
  CHECK(client.ask(0, asked[0]).answer().source == 1);
  server.signal(SIGUSR1);
  CHECK(server.warns("1 request in 1 batch of 2 clients, 2 of them here\nanswers: full 1, reduced 0"));
  for (std::uint32_t i = 0; i < 40; ++i) client.send(act_frame(i, asked[i]));
  server.signal(SIGTERM);
  for (std::uint32_t i = 0; i < 40; ++i) {
    const Heard heard = client.hear().value();
    CHECK(heard.header.number == i);
    CHECK(heard.answer().source == 1);
  }
  for (const ServingClient* one : {&client, &idle}) {
    const Heard last = one->hear().value();
    CHECK(last.header.type == Type::failure);
    CHECK(last.code() == Code::ending);
    CHECK_FALSE(one->hear().has_value());
  }
  const ProgramResult result = server.wait();
  CHECK(result.status == 0);
  CHECK_THAT(result.err, Catch::Contains("stopped\n41 requests in "));
  CHECK_FALSE(std::filesystem::exists(f.socket()));
  CHECK_FALSE(std::filesystem::exists(f.socket() + ".lock"));
}

TEST_CASE("the loopback and the page of metrics are there if they are asked for") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f, {"--tcp", "0", "--metrics", "0"});
  REQUIRE(server.warns("/metrics\n"));
  const std::string words = server.errors();
  const auto port_behind = [&](const std::string& text) {
    const std::size_t at = words.find(text);
    REQUIRE(at != words.npos);
    return std::stoi(words.substr(at + text.size()));
  };
  const int tcp = port_behind("and 127.0.0.1:"), metrics = port_behind("http://127.0.0.1:");
  const std::vector<ActQuestion> asked = ServedRun::questions(3, 2);
  const std::vector<Json> expected = f.sampled(f.run, asked);
  const ServingClient client(tcp);
  for (std::uint32_t i = 0; i < 3; ++i) check_answer(client.ask(i, asked[i]), expected[i]);
  const std::string checksum = client.ask(3, asked[0]).checksum();
  const auto get = [&](const std::string& head) {
    const ServingClient reader(metrics);
    reader.send(head);
    return reader.rest();
  };
  std::vector<ServingClient> silent;
  for (int k = 0; k < 3; ++k) silent.emplace_back(metrics);
  CHECK_THAT(get("GET /metrics HTTP/1.1\r\n\r\n"),
             Catch::StartsWith("HTTP/1.1 200 OK\r\n") && Catch::Contains("\nr2pac_requests_total 4\n") &&
                 Catch::Contains("r2pac_answers_total{source=\"full\"} 4\n") &&
                 Catch::Contains("checksum=\"" + checksum + "\""));
  CHECK_THAT(get("GET /secrets HTTP/1.1\r\n\r\n"), Catch::StartsWith("HTTP/1.1 404 "));
  CHECK(client.ask(4, asked[0]).action() == expected[0]["action"].get<std::vector<float>>());
  // More than there is room for wait until those that say nothing are dropped.
  silent.emplace_back(metrics);
  CHECK_THAT(get("GET /metrics HTTP/1.1\r\n\r\n"), Catch::Contains("\nr2pac_requests_total 5\n"));
  server.end();
}

TEST_CASE("the C client gets the bits of `sample`") {
  const ServedRun f({"--method", "r2pac"});
  RunningServer server(f);
  const ActQuestion question = [] {  // that of remote_loop.c
    ActQuestion asked;
    for (int j = 0; j < 7; ++j) asked.observation.push_back(0.5f * std::sin(static_cast<float>(1 + 7 * j)));
    asked.fields.seed = 4;
    asked.fields.spent = NAN;
    return asked;
  }();
  const auto loop = [&](const std::string& arguments) {
    FILE* const pipe = ::popen((R2PAC_REMOTE_LOOP " " + f.socket() + " " + arguments + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out;
    for (int c; (c = std::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
    return std::pair(::pclose(pipe), out);
  };
  const auto [status, out] = loop("0 50 0 4");
  CHECK(status == 0);
  std::istringstream numbers(out);
  std::vector<float> action(ServedRun::kAction);
  for (float& number : action) numbers >> number;
  CHECK(action == f.sampled_action(f.run, question));
  const auto [done, told] = loop("0.2 100 1000");  // ample deadlines
  CHECK(done == 0);
  CHECK_THAT(told, Catch::Contains("r2pac: 20 ticks at 100 Hz") && Catch::Contains("full 20, reduced 0"));
  server.end();
  CHECK_THAT(loop("0").second, Catch::Contains("no server can be reached"));
}
