// Work in several streams, with the synchronisation that it needs and without.
#pragma once

#include <string>
#include <vector>

namespace r2pac::cuda::test {

std::vector<std::string> stream_case_names();

/// Runs the case of that name. Returns the value that reaches the host, which must be 2.
float run_stream_case(const std::string& name, bool synchronised);

}  // namespace r2pac::cuda::test
