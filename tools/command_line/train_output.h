// What a command that trains prints.
#pragma once

#include "runtime/exec/trainer.h"

#include <string>

namespace penstock {

/// An argument as the shell takes it, for a command that goes on with what was interrupted.
std::string shellWord(const std::string &argument);

/// For people, on standard output. `what` lies in `out`: "run". With `quiet` only that.
void printTrained(const std::string &what, const std::string &out, const TrainOutcome &outcome, bool quiet);
/// The same as one JSON object.
void printTrainedJson(const std::string &what, const std::string &out, const TrainOutcome &outcome);

} // namespace penstock
