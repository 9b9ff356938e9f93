#include "envs/conversation.h"

#include <algorithm>
#include <cstdio>

#include "envs/environment.h"

namespace r2pac {
namespace {

using Transfer = ChildProcess::Transfer;
using wire::Message;
using Clock = Call::Clock;

constexpr std::chrono::seconds kExitPatience{2};
constexpr const char* kHang =
    "see whether its last output tells what it waits for; --env-start-timeout and --env-timeout give it "
    "longer";
constexpr const char* kOneAnswer =
    "the server has to give each request one answer, with the request's number (docs/environments.md)";

std::span<char> bytes_of(wire::Header& header) { return {reinterpret_cast<char*>(&header), sizeof header}; }

bool is(const wire::Header& header, Message type) { return header.type == static_cast<std::uint32_t>(type); }

std::string quoted(const char* name) { return std::string("`").append(name).append("`"); }

// The lines of an error message: what, what to do, details.
Complaint reported(std::string_view payload, const std::string& party) {
  std::string text = plain_text(payload);
  const auto take_line = [&] {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line = text.substr(0, end);
    text.erase(0, end + 1);
    return line;
  };
  Complaint out;
  out.what = take_line();
  if (out.what.find_first_not_of(' ') == std::string::npos)
    out.what = "the " + party + " reported an error without a text";
  out.todo = take_line();
  out.details = text;
  return out;
}

// The end of `text`, set off line by line.
std::string set_off(const std::string& text) {
  constexpr const char* kMark = "\n    | ";
  std::string out;
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    out.append(kMark).append(text, line, end - line);
    line = end + 1;
  }
  return out;
}

}  // namespace

std::string shortest(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

Error as_error(const Complaint& complaint, const std::string& command, const std::string& output) {
  std::string what = complaint.what;
  const std::string details = last_lines(complaint.details);
  if (!details.empty()) what.append(":").append(set_off(details));
  if (!output.empty())
    what.append(details.empty() ? "; its last output:" : "\n  its last output:").append(set_off(output));
  return Error(complaint.code, what, command, complaint.todo);
}

void Conversation::send(const Call& call, wire::Writer message) {
  wire::Header early{};
  const std::size_t bytes = process_.peek(bytes_of(early));
  if (bytes > 0 && (bytes < sizeof early || early.magic != wire::kMagic))
    throw Complaint{
        "what came before " + quoted(call.name) + " is not a message: it does not begin with `R2CE`", kServe};
  if (bytes > 0 && !is(early, Message::error))
    throw Complaint{"a message of type " + std::to_string(early.type) + " came before " + quoted(call.name) +
                        " asked for one",
                    kOneAnswer};
  // A child that has hung up may have said why; receive() tells.
  switch (process_.send(std::move(message).message(), call.deadline)) {
    case Transfer::stopped:
      throw Interrupted();
    case Transfer::timed_out:
      throw Complaint{quoted(call.name) + " is not read within " + shortest(call.timeout) + " s", kHang};
    case Transfer::done:
    case Transfer::closed:
      break;
  }
}

void Conversation::take(std::span<char> bytes, const Call& call) {
  switch (process_.receive(bytes, call.deadline)) {
    case Transfer::done:
      return;
    case Transfer::stopped:
      throw Interrupted();
    case Transfer::timed_out:
      throw Complaint{"no answer to " + quoted(call.name) + " within " + shortest(call.timeout) + " s",
                      kHang};
    case Transfer::closed:
      process_.end(Clock::now() + kExitPatience);
      throw Complaint{"the " + party_ + "'s program " + process_.how_it_ended() + " instead of answering " +
                          quoted(call.name),
                      call.if_ended};
  }
}

std::string Conversation::take_payload(std::uint32_t length, std::size_t least, std::size_t most,
                                       const Call& call) {
  if (length < least || length > most)
    throw Complaint{"the answer to " + quoted(call.name) + " has " + std::to_string(length) +
                        " bytes, expected " + std::to_string(least) +
                        (least == most ? "" : " to " + std::to_string(most)),
                    kServe};
  std::string payload(length, '\0');
  take(payload, call);
  return payload;
}

std::string Conversation::receive(const Call& call, Message expected, std::size_t least, std::size_t most,
                                  std::size_t most_signs) {
  const std::string answer = "the answer to " + quoted(call.name);
  const std::size_t number_bytes = numbered_ ? sizeof call.number : 0;
  for (std::size_t signs = 0;; ++signs) {
    wire::Header header{};
    take(bytes_of(header), call);
    if (header.magic != wire::kMagic)
      throw Complaint{answer + " is not a message: it does not begin with `R2CE`", kServe};
    if (is(header, Message::error)) {
      Complaint complaint = reported(take_payload(header.length, 0, wire::kLargestText, call), party_);
      complaint.code = call.if_reported;
      throw complaint;
    }
    const bool works = numbered_ && signs < most_signs && is(header, Message::working);
    if (!works && !is(header, expected))
      throw Complaint{answer + " is a message of type " + std::to_string(header.type) + ", expected " +
                          std::to_string(static_cast<std::uint32_t>(expected)),
                      kServe};
    std::string payload = take_payload(header.length, number_bytes + (works ? 0 : least),
                                       number_bytes + (works ? 0 : most), call);
    if (numbered_)
      if (const std::uint32_t number = wire::Reader(payload).take_number(); number != call.number)
        throw Complaint{answer + " has the number " + std::to_string(number) + ", expected " +
                            std::to_string(call.number) + ": it answers another request",
                        kOneAnswer};
    if (!works) return payload.substr(number_bytes);
    call.deadline = Call::from_now(call.timeout);
  }
}

void Conversation::await_end(const Call& call) {
  wire::Header header{};
  if (process_.receive(bytes_of(header), call.deadline) == Transfer::done && !is(header, Message::error))
    throw Complaint{"a message of type " + std::to_string(header.type) + " came after the last request",
                    kOneAnswer};
}

}  // namespace r2pac
