// The engine that runs plans here: one for each instruction set, of which one is in use.
#pragma once

#include <string>
#include <vector>

#include "call.hpp"

namespace elman {

// Names of the sets that this build has and this processor runs, the fastest last.
std::vector<std::string> engine_names();

// Null where there is no engine of that name here. An empty name is the fastest that is on by
// default.
template <class Real>
const Engine<Real>* engine(const std::string& name);

}  // namespace elman
