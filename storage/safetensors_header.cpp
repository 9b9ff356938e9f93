#include "storage/safetensors_header.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/error.h"

namespace r2pac {
namespace {

static_assert(sizeof(std::size_t) == sizeof(std::uint64_t), "offsets of the format have 64 bits");

using Json = nlohmann::json;

constexpr char kMetadataKey[] = "__metadata__";

struct TypeRow {
  const char* name;
  std::size_t bytes;
};

/// In the order of StoredType.
constexpr std::array<TypeRow, 15> kTypes{{{"BOOL", 1},
                                          {"U8", 1},
                                          {"I8", 1},
                                          {"F8_E5M2", 1},
                                          {"F8_E4M3", 1},
                                          {"U16", 2},
                                          {"I16", 2},
                                          {"F16", 2},
                                          {"BF16", 2},
                                          {"U32", 4},
                                          {"I32", 4},
                                          {"F32", 4},
                                          {"U64", 8},
                                          {"I64", 8},
                                          {"F64", 8}}};

/// Takes the parser's events one at a time and accepts only the format's own grammar, which is three levels
/// deep: nesting, duplicates and sizes are refused at the event where they appear, before memory is spent.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::top;
    } else if (place_ == Place::top && key_ == kMetadataKey) {
      place_ = Place::metadata;
    } else if (place_ == Place::top) {
      if (header_.tensors.size() == kMaxTensors)
        fail("more than " + std::to_string(kMaxTensors) + " tensors");
      tensor_ = {};
      tensor_.name = key_;
      offsets_.clear();
      fields_.clear();
      place_ = Place::tensor;
    } else {
      fail("unexpected object" + context());
    }
    return true;
  }

  bool key(std::string& text) override {
    if (place_ == Place::top) {
      if (text.size() > kMaxNameBytes)
        fail("a tensor's name has " + std::to_string(text.size()) + " bytes, more than " +
             std::to_string(kMaxNameBytes));
      if (!names_.insert(text).second) fail("`" + printable(text) + "` appears twice");
    } else if (place_ == Place::metadata) {
      if (header_.metadata.contains(text)) fail("metadata `" + printable(text) + "` appears twice");
    } else {
      if (text != "dtype" && text != "shape" && text != "data_offsets")
        fail("unknown field `" + printable(text) + "`" + context());
      if (!fields_.insert(text).second) fail("field `" + text + "` appears twice" + context());
      field_ = text;
      return true;
    }
    key_ = text;
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      header_.metadata.emplace(key_, text);
      return true;
    }
    if (place_ != Place::tensor || field_ != "dtype") fail("unexpected text" + context());
    const auto* row =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& r) { return text == r.name; });
    if (row == kTypes.end()) fail("unknown dtype `" + printable(text) + "`" + context());
    tensor_.type = static_cast<StoredType>(row - kTypes.begin());
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || field_ == "dtype") fail("unexpected list" + context());
    place_ = field_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (place_ == Place::shape) {
      if (tensor_.shape.size() == kMaxRank)
        fail("more than " + std::to_string(kMaxRank) + " dimensions" + context());
      tensor_.shape.push_back(number);
    } else if (place_ == Place::offsets) {
      if (offsets_.size() == 2) fail("data_offsets must be two numbers" + context());
      offsets_.push_back(number);
    } else {
      fail("unexpected number" + context());
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_.size() != 2)
      fail("data_offsets must be two numbers" + context());
    place_ = Place::tensor;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      for (const char* field : {"dtype", "shape", "data_offsets"})
        if (!fields_.contains(field)) fail(std::string("field `") + field + "` is missing" + context());
      tensor_.begin = offsets_[0];
      tensor_.end = offsets_[1];
      header_.tensors.push_back(std::move(tensor_));
    }
    place_ = place_ == Place::top ? Place::end : Place::top;
    return true;
  }

  bool number_integer(number_integer_t) override { fail("negative number" + context()); }
  bool number_float(number_float_t, const std::string&) override {
    fail("number that is fractional or beyond 64 bits" + context());
  }
  bool null() override { fail("unexpected null" + context()); }
  bool boolean(bool) override { fail("unexpected true or false" + context()); }
  bool binary(binary_t&) override { fail("unexpected binary value"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail("the header is not valid JSON in UTF-8 at its byte " + std::to_string(position));
  }

 private:
  enum class Place { start, top, metadata, tensor, shape, offsets, end };

  [[noreturn]] void fail(const std::string& what) const { throw_damaged(file_, what); }

  /// Where in the header the parser is, for messages.
  std::string context() const {
    switch (place_) {
      case Place::metadata:
        return ": metadata `" + printable(key_) + "` must be text";
      case Place::tensor:
      case Place::shape:
      case Place::offsets:
        return " in tensor `" + printable(key_) + "`";
      case Place::top:
        return " at `" + printable(key_) + "`";
      default:
        return " instead of the header's object";
    }
  }

  const std::string& file_;
  SafetensorsHeader header_;
  Place place_ = Place::start;
  std::string key_;    ///< name of the current tensor, or key of the current metadata entry
  std::string field_;  ///< dtype, shape or data_offsets
  StoredTensor tensor_;
  std::vector<std::size_t> offsets_;
  std::set<std::string> fields_;
  std::set<std::string> names_;
};

/// Each tensor as long as its shape says; all together covering [0, data_bytes) without hole or overlap.
void check_layout(std::vector<StoredTensor>& tensors, std::size_t data_bytes, const std::string& file) {
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::size_t position = 0;
  for (const StoredTensor& t : tensors) {
    const auto fail = [&](const std::string& what) {
      throw_damaged(file, "tensor `" + printable(t.name) + "` " + what);
    };
    if (t.begin > t.end) fail("ends before it begins");
    const auto expected = bytes_of(t.type, t.shape);
    if (!expected) fail("has a shape whose size overflows: " + shape_text(t.shape));
    if (t.bytes() != *expected)
      fail("of dtype " + std::string(type_name(t.type)) + " and shape " + shape_text(t.shape) + " needs " +
           std::to_string(*expected) + " bytes but has " + std::to_string(t.bytes()));
    if (t.begin < position) fail("overlaps the one before it");
    if (t.begin > position) fail("leaves a hole before it");
    position = t.end;
  }
  if (position > data_bytes)
    throw_damaged(file, "the file is cut short: its tensors need " + std::to_string(position) +
                            " bytes of data, it has " + std::to_string(data_bytes));
  if (position < data_bytes)
    throw_damaged(file, std::to_string(data_bytes - position) + " bytes follow the last tensor");
}

}  // namespace

const char* type_name(StoredType type) { return kTypes.at(static_cast<std::size_t>(type)).name; }

std::size_t type_bytes(StoredType type) { return kTypes.at(static_cast<std::size_t>(type)).bytes; }

std::optional<std::size_t> bytes_of(StoredType type, const std::vector<std::size_t>& shape) {
  std::size_t product = 1;
  for (const std::size_t dimension : shape)
    if (__builtin_mul_overflow(product, dimension, &product)) return std::nullopt;
  if (__builtin_mul_overflow(product, type_bytes(type), &product)) return std::nullopt;
  return product;
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

SafetensorsHeader parse_header(std::string_view json, std::size_t data_bytes, const std::string& file) {
  // The parser would skip a byte-order mark, and take a zero byte for the end.
  if (json.empty() || json[0] != '{') throw_damaged(file, "the header does not begin with {");
  if (const auto zero = json.find('\0'); zero != std::string_view::npos)
    throw_damaged(file, "the header is not valid JSON in UTF-8 at its byte " + std::to_string(zero + 1));
  HeaderReader reader(file);
  Json::sax_parse(json, &reader);
  SafetensorsHeader header = reader.take();
  check_layout(header.tensors, data_bytes, file);
  return header;
}

std::string format_header(const SafetensorsHeader& header) {
  Json json = Json::object();
  if (!header.metadata.empty()) json[kMetadataKey] = header.metadata;
  for (const StoredTensor& t : header.tensors)
    json[t.name] = {{"dtype", type_name(t.type)}, {"shape", t.shape}, {"data_offsets", {t.begin, t.end}}};
  try {
    return json.dump();
  } catch (const Json::type_error&) {
    throw InvalidArgument("safetensors: a name or metadata text is not UTF-8");
  }
}

void throw_damaged(const std::string& file, const std::string& what) {
  throw Error(ExitCode::checkpoint, what, file,
              "the file is damaged or not a safetensors file: use another copy or an older checkpoint");
}

}  // namespace r2pac
