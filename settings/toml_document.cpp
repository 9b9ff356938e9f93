#include "settings/toml_document.h"

#include <fstream>

#include "base/error.h"
#include "settings/toml_nesting.h"

namespace r2pac {
namespace {

std::string position(const toml::source_region& source, const std::string& name) {
  return name + ":" + std::to_string(source.begin.line) + ":" + std::to_string(source.begin.column);
}

}  // namespace

std::string toml_file_text(const std::string& path, const std::string& what) {
  constexpr std::size_t kLargest = std::size_t{1} << 20;
  std::ifstream in(path, std::ios::binary);
  std::string text(kLargest + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    throw Error(ExitCode::settings, "the " + what + " cannot be read", path, "give the name of a file");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kLargest)
    throw Error(ExitCode::settings, "the " + what + " is larger than a mebibyte", path, "give a TOML file");
  return text;
}

toml::table parse_toml(std::string_view text, const std::string& name) {
  if (const std::size_t line = line_with_deep_key(text); line > 0)
    throw Error(ExitCode::settings, "this line has too many dots", name + ":" + std::to_string(line),
                "write one `key = value` a line");
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw Error(ExitCode::settings, "this is not TOML: " + std::string(error.description()),
                position(error.source(), name), "write one `key = value` a line");
  }
}

std::string toml_position(const toml::node& node, const std::string& name) {
  return position(node.source(), name);
}

}  // namespace r2pac
