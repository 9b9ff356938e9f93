// TOML text that anybody may have written, read within limits. Internal to what reads TOML: it includes
// toml++.
#pragma once

// Of toml++ the headers alone, so that nothing is linked, even where its package says otherwise.
#undef TOML_SHARED_LIB
#undef TOML_HEADER_ONLY
#define TOML_HEADER_ONLY 1
// toml++ asserts of its input what it then handles as an error; a bad file must not end a debug build.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include <string>
#include <string_view>

namespace r2pac {

/// The text of a file of at most a mebibyte. what  what the file is, such as "settings file"
/// Throws Error(settings).
std::string toml_file_text(const std::string& path, const std::string& what);

/// The document; `name` names it in errors. Throws Error(settings) with `name:line:column`.
toml::table parse_toml(std::string_view text, const std::string& name);

/// "name:line:column" of where a value stands.
std::string toml_position(const toml::node& node, const std::string& name);

}  // namespace r2pac
