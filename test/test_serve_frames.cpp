// The frames of `r2pac serve`, what it counts, and its page for Prometheus, apart from any socket.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "serving/counters.h"
#include "serving/frames.h"
#include "serving/metrics_page.h"
#include "serving_client.h"

using namespace r2pac;
using namespace r2pac::serving;

namespace {

constexpr std::uint32_t kLargest = 1000;

/// The text of the refusal, or "" where a frame or nothing comes of the bytes.
std::string broken(const Bytes& bytes) {
  try {
    if (const auto frame = first_frame(bytes, kLargest); frame && frame->header.type == Type::act)
      parse_act(frame->payload);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::environment);
    return error.what();
  }
}

std::uint32_t code_of(const ActQuestion& question) {
  const Bytes bytes = act_frame(1, question);
  const auto refusal = refusal_of(parse_act(first_frame(bytes, kLargest)->payload), 3, 2);
  return refusal ? static_cast<std::uint32_t>(refusal->code) : 0;
}

ActQuestion good() {
  ActQuestion question;
  question.observation = {1, 2, 3};
  question.safe_action = {0, 0};
  question.fields.deadline = 0.5;
  return question;
}

}  // namespace

TEST_CASE("a frame is taken when it is whole, and leaves what follows") {
  Bytes bytes = act_frame(7, good());
  const std::size_t size = bytes.size();
  for (std::size_t n = 0; n < size; ++n)
    CHECK_FALSE(first_frame(std::span(bytes).first(n), kLargest).has_value());
  const Bytes more = info_frame(8);
  bytes.insert(bytes.end(), more.begin(), more.end());
  const auto first = first_frame(bytes, kLargest);
  REQUIRE(first.has_value());
  CHECK(first->size() == size);
  CHECK(first->header.number == 7);
  const ActRequest act = parse_act(first->payload);
  std::vector<float> observation(3), safe(2, 9.0f);
  copy_numbers(act.observation, observation);
  copy_numbers(act.safe_action, safe);
  CHECK(observation == std::vector<float>{1, 2, 3});
  CHECK(safe == std::vector<float>{0, 0});
  const auto second = first_frame(std::span(bytes).subspan(size), kLargest);
  REQUIRE(second.has_value());
  CHECK(second->header.type == Type::info);
  CHECK(second->header.number == 8);
}

TEST_CASE("the bytes of frames are those that docs/serving.md shows") {
  ActQuestion question;
  question.fields = {1, 2, 0.5, 0.01, 0, 3, 1, 2, 1};
  question.observation = {1.0f, -1.0f};
  question.safe_action = {0.0f};
  const Bytes bytes = act_frame(7, question);
  const std::vector<unsigned char> expected = {
      0x52, 0x32, 0x53, 0x56, 1,    0,    3,    0,
      68,   0,    0,    0,    7,    0,    0,    0,  // header
      1,    0,    0,    0,    0,    0,    0,    0,
      2,    0,    0,    0,    0,    0,    0,    0,  // seed, step
      0,    0,    0,    0,    0,    0,    0xe0, 0x3f,
      0x7b, 0x14, 0xae, 0x47, 0xe1, 0x7a, 0x84, 0x3f,  // spent, deadline
      0,    0,    0,    0,    0,    0,    0,    0,
      3,    0,    0,    0,    1,    0,    0,    0,  // sent, episode, judged
      2,    0,    0,    0,    1,    0,    0,    0,
      0,    0,    0x80, 0x3f, 0,    0,    0x80, 0xbf,  // lengths, observation
      0,    0,    0,    0};                            // safe action
  REQUIRE(bytes.size() == expected.size());
  CHECK(std::memcmp(bytes.data(), expected.data(), bytes.size()) == 0);
}

TEST_CASE("what is no frame of a client is refused from its first byte on") {
  const auto with = [](std::size_t at, int value) {
    Bytes bytes = act_frame(7, good());
    bytes[at] = static_cast<std::byte>(value);
    return broken(bytes);
  };
  CHECK(broken({std::byte{'G'}}) == "what arrived does not begin as a frame");
  CHECK(broken({std::byte{'R'}, std::byte{'3'}}) == "what arrived does not begin as a frame");
  CHECK(with(4, 2) == "the frame is of version 2, the server's is 1");
  CHECK(with(6, 4) == "a client sends no frame of type 4");
  CHECK(with(6, 0) == "a client sends no frame of type 0");
  CHECK(with(6, 1) == "a frame of type info has no payload");
  CHECK(with(10, 1) == "the frame has 65612 bytes of payload, the most are 1000");
  CHECK(with(8, 40) == "a frame of type act is too short");
  CHECK(with(8, 77) == "");  // a byte is missing yet
  CHECK(with(16 + 48, 4) == "a frame of type act has not the length that its numbers need");
  CHECK(with(16 + 51, 0x80) == "a frame of type act has not the length that its numbers need");
  CHECK(with(16 + 55, 0xff) == "a frame of type act has not the length that its numbers need");
}

TEST_CASE("a request that cannot be is refused by its kind") {
  const auto with = [](const auto& change) {
    ActQuestion question = good();
    change(question);
    return code_of(question);
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK(code_of(good()) == 0);
  CHECK(with([](ActQuestion& q) { q.observation.pop_back(); }) == 3);
  CHECK(with([](ActQuestion& q) { q.observation.clear(); }) == 3);
  CHECK(with([](ActQuestion& q) { q.observation[1] = NAN; }) == 3);
  CHECK(with([](ActQuestion& q) { q.observation[2] = -kInfinity; }) == 3);
  CHECK(with([](ActQuestion& q) { q.fields.step = -1; }) == 2);
  CHECK(with([](ActQuestion& q) { q.fields.spent = NAN; }) == 0);
  CHECK(with([](ActQuestion& q) { q.fields.spent = HUGE_VAL; }) == 2);
  for (const double deadline : {-1.0, static_cast<double>(NAN), HUGE_VAL})
    CHECK(with([&](ActQuestion& q) { q.fields.deadline = deadline; }) == 2);
  CHECK(with([](ActQuestion& q) { q.fields.judged = 2; }) == 2);
  CHECK(with([](ActQuestion& q) { q.safe_action.clear(); }) == 2);
  CHECK(with([](ActQuestion& q) { q.safe_action = {1}; }) == 2);
  CHECK(with([](ActQuestion& q) { q.safe_action[1] = kInfinity; }) == 2);
  CHECK(with([](ActQuestion& q) {
          q.safe_action.clear();
          q.fields.deadline = 0;
        }) == 0);
}

TEST_CASE("a client may send what tells of twice the numbers, and no answer is longer than its room") {
  CHECK(largest_payload(7, 2) == 65536);
  CHECK(largest_payload(100000, 10) >= sizeof(ActFields) + 4 * 200000);
  Bytes bytes;
  append_answer(bytes, 1, {}, std::vector<float>(1000));
  CHECK(bytes.size() == largest_answer(1000));
  for (const std::size_t length : {std::size_t{0}, kLongestText, std::size_t{5000}}) {
    bytes.clear();
    append_reason(bytes, Type::failure, 0, Code::protocol, std::string(length, 'x'));
    CHECK(bytes.size() <= largest_answer(1));
  }
  bytes.clear();
  append_facts(bytes, 1, {});
  CHECK(bytes.size() <= largest_answer(1));
}

TEST_CASE("latencies are known to an eighth of a factor of two, the worst exactly") {
  Latencies latencies;
  CHECK(latencies.quantile(0.5) == 0);
  for (int i = 1; i <= 1000; ++i) latencies.note(1e-3 * i);
  CHECK(latencies.worst() == 1.0);
  CHECK(latencies.count() == 1000);
  CHECK(latencies.sum() == Approx(500.5));
  const double step = std::exp2(1.0 / Latencies::kPerOctave);
  for (const double share : {0.5, 0.9, 0.99}) {
    CHECK(latencies.quantile(share) >= share);
    CHECK(latencies.quantile(share) <= share * step);
  }
  CHECK(latencies.quantile(1) == 1.0);
  CHECK(latencies.within_octave(9) == 0);     // 0.512 ms
  CHECK(latencies.within_octave(10) == 1);    // 1.024 ms
  CHECK(latencies.within_octave(19) == 524);  // 524.288 ms
  for (const double seconds : {0.0, -1.0, 1e-9, 1e9}) latencies.note(seconds);
  CHECK(latencies.within_octave(0) == 3);
  CHECK(latencies.quantile(1) == 1e9);
}

TEST_CASE("the page of metrics is given to GET /metrics alone") {
  const auto page = [] { return std::string("r2pac_requests_total 1\n"); };
  const auto answer = [&](const std::string& head) { return http_answer(head, page); };
  CHECK(answer("GET /metrics HTTP/1.1\r\nHost: x\r\n").empty());
  CHECK(answer("") == "");
  CHECK_THAT(answer("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
             Catch::StartsWith("HTTP/1.1 200 OK\r\n") &&
                 Catch::EndsWith("\r\n\r\nr2pac_requests_total 1\n") &&
                 Catch::Contains("Content-Length: 23\r\n"));
  CHECK_THAT(answer("GET / HTTP/1.0\r\n\r\n"), Catch::StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(answer("POST /metrics HTTP/1.1\r\n\r\n"), Catch::StartsWith("HTTP/1.1 405 "));
  for (const char* head :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "GET /metrics FTP\r\n\r\n", "\n\n"})
    CHECK_THAT(answer(head), Catch::StartsWith("HTTP/1.1 400 "));
  CHECK(answer(std::string(4095, 'x')).empty());
  CHECK_THAT(answer(std::string(4096, 'x')), Catch::StartsWith("HTTP/1.1 431 "));
}

TEST_CASE("the page has each metric with its kind, and the buckets add up") {
  Counters counters;
  counters.requests = 3;
  counters.answers = {0, 1, 1, 0, 1};
  for (const double seconds : {1e-4, 2e-4, 3.0}) counters.latency.note(seconds);
  const std::string page = counters.page("abc");
  for (const char* line :
       {"# TYPE r2pac_requests_total counter\nr2pac_requests_total 3\n",
        "r2pac_answers_total{source=\"reduced\"} 1\n", "r2pac_answers_total{source=\"safe_action\"} 1\n",
        "r2pac_policy_info{checksum=\"abc\"} 1\n", "r2pac_latency_seconds_bucket{le=\"0.000128\"} 1\n",
        "r2pac_latency_seconds_bucket{le=\"+Inf\"} 3\n", "r2pac_latency_seconds_count 3\n"})
    CHECK_THAT(page, Catch::Contains(line));
  CHECK_THAT(counters.text(),
             Catch::Contains("answers: full 1, reduced 1, of a chunk 0, safe action 1; refused 0"));
}
