#include "data/npy.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "data/array_file.h"

namespace r2pac {
namespace {

constexpr std::size_t kLongestText = 65536;
constexpr std::size_t kMostDimensions = 32;

/// Reads one dictionary literal from left to right.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : rest_(text), name_(name) {}

  Error damaged(const std::string& what) const {
    return array_fault(name_, "has a damaged header: " + what, "save it again with numpy.savez");
  }

  /// Takes `symbol` if it comes next.
  bool take(char symbol) {
    skip_spaces();
    if (rest_.empty() || rest_[0] != symbol) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char symbol) {
    if (!take(symbol)) throw damaged(std::string("`") + symbol + "` is missing");
  }

  std::string quoted() {
    skip_spaces();
    const char quote = rest_.empty() ? '\0' : rest_[0];
    const std::size_t end = quote == '\'' || quote == '"' ? rest_.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) throw damaged("a quoted word is missing");
    const std::string word(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return word;
  }

  bool boolean() {
    skip_spaces();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (rest_.substr(0, word.size()) != word) continue;
      rest_.remove_prefix(word.size());
      return value;
    }
    throw damaged("True or False is missing");
  }

  std::vector<std::uint64_t> tuple() {
    std::vector<std::uint64_t> values;
    expect('(');
    while (!take(')')) {
      skip_spaces();
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      if (error != std::errc() || values.size() == kMostDimensions) throw damaged("its shape cannot be read");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      values.push_back(value);
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  bool at_end() {
    skip_spaces();
    return rest_.empty();
  }
  bool at(char symbol) {
    skip_spaces();
    return !rest_.empty() && rest_[0] == symbol;
  }

 private:
  void skip_spaces() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0]))) rest_.remove_prefix(1);
  }

  std::string_view rest_;
  const std::string& name_;
};

void set_type(NpyHeader& header, const std::string& type, const std::string& name) {
  const auto refuse = [&] {
    std::string printable = type.substr(0, 40);
    std::replace_if(
        printable.begin(), printable.end(), [](unsigned char c) { return !std::isprint(c); }, '?');
    const bool text = type.size() > 1 && (type[1] == 'U' || type[1] == 'S');
    return array_fault(name,
                       "has the type `" + printable + "`, which is " + (text ? "text, " : "") +
                           "not one of numbers that can be used",
                       "store it as float32 or float64, flags as bool");
  };
  constexpr std::string_view kKnown[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                         "i8", "u1", "u2", "u4", "u8", "b1"};
  if (type.size() != 3 || std::string_view("<>|=").find(type[0]) == std::string_view::npos ||
      std::find(std::begin(kKnown), std::end(kKnown), std::string_view(type).substr(1)) == std::end(kKnown))
    throw refuse();
  header.kind = type[1];
  header.width = static_cast<std::size_t>(type[2] - '0');
  header.big_endian = type[0] == '>';
}

template <class T>
T number(const unsigned char* bytes, bool big_endian) {
  unsigned char ordered[sizeof(T)];
  std::copy_n(bytes, sizeof(T), ordered);
  if (big_endian) std::reverse(std::begin(ordered), std::end(ordered));
  T value;
  std::memcpy(&value, ordered, sizeof(T));
  return value;
}

/// IEEE half precision: a sign, 5 bits of exponent, 10 of fraction.
double half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double magnitude = exponent == 31  ? (fraction == 0 ? HUGE_VAL : std::nan(""))
                           : exponent == 0 ? std::ldexp(fraction, -24)
                                           : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 != 0 ? -magnitude : magnitude;
}

}  // namespace

static_assert(std::endian::native == std::endian::little, "numbers are taken as they are in memory");

NpyText npy_text(std::span<const unsigned char> preamble, const std::string& name) {
  const auto refuse = [&](const std::string& what) {
    return array_fault(name, what, "save it again with numpy.savez");
  };
  if (preamble.size() < kNpyPreamble || std::memcmp(preamble.data(), "\x93NUMPY", 6) != 0)
    throw refuse("is not a NumPy array");
  const int version = preamble[6];
  if (version < 1 || version > 3)
    throw refuse("has version " + std::to_string(version) + " of the format, which is not known");
  NpyText text{version == 1 ? std::size_t{10} : std::size_t{12}, 0};
  for (std::size_t i = text.begin; i-- > 8;) text.length = text.length << 8 | preamble[i];
  if (text.length > kLongestText)
    throw refuse("has a header of " + std::to_string(text.length) + " bytes, more than is allowed");
  return text;
}

NpyHeader parse_npy_header(std::string_view text, const std::string& name) {
  Reader reader(text, name);
  NpyHeader header;
  bool type = false, order = false, shape = false;
  reader.expect('{');
  while (!reader.take('}')) {
    const std::string key = reader.quoted();
    reader.expect(':');
    bool* const seen = key == "descr"           ? &type
                       : key == "fortran_order" ? &order
                       : key == "shape"         ? &shape
                                                : nullptr;
    if (seen == nullptr || *seen) throw reader.damaged("an entry is unknown or there twice");
    *seen = true;
    if (seen == &type && reader.at('['))
      throw array_fault(name, "is made of records, not of numbers", "save each field as an array of its own");
    if (seen == &type) set_type(header, reader.quoted(), name);
    if (seen == &order) header.column_major = reader.boolean();
    if (seen == &shape) header.shape = reader.tuple();
    if (!reader.take(',')) {
      reader.expect('}');
      break;
    }
  }
  if (!reader.at_end()) throw reader.damaged("something follows its end");
  if (!type || !order || !shape) throw reader.damaged("type, order or shape is missing");
  return header;
}

double npy_number(const NpyHeader& header, const unsigned char* bytes) {
  const bool big = header.big_endian;
  switch (header.kind) {
    case 'f':
      return header.width == 8   ? number<double>(bytes, big)
             : header.width == 4 ? static_cast<double>(number<float>(bytes, big))
                                 : half(number<std::uint16_t>(bytes, big));
    case 'i':
      return header.width == 8   ? static_cast<double>(number<std::int64_t>(bytes, big))
             : header.width == 4 ? number<std::int32_t>(bytes, big)
             : header.width == 2 ? number<std::int16_t>(bytes, big)
                                 : number<std::int8_t>(bytes, big);
    case 'u':
      return header.width == 8   ? static_cast<double>(number<std::uint64_t>(bytes, big))
             : header.width == 4 ? number<std::uint32_t>(bytes, big)
             : header.width == 2 ? number<std::uint16_t>(bytes, big)
                                 : number<std::uint8_t>(bytes, big);
    default:
      return bytes[0] != 0 ? 1.0 : 0.0;
  }
}

}  // namespace r2pac
