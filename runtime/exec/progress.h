// What a person sees while a run trains, on standard error: one line that changes on a terminal, lines every few seconds
// elsewhere, nothing with --quiet. NO_COLOR is honoured. Where nobody can read it any more, it falls silent and the run goes on.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

class Progress {
public:
  enum class Mode { quiet, lines, terminal };
  /// The mode that fits standard error.
  static Mode detect(bool quiet);

  Progress(Mode mode, std::int64_t totalSteps, std::int64_t stepsPerEpoch, std::int64_t firstStep);
  ~Progress();

  /// Costs nothing worth counting where nothing is due. `now`: monotonic nanoseconds.
  void step(std::int64_t step, float loss, std::int64_t tokens, std::int64_t now) {
    smoothed = seen++ == 0 ? static_cast<double>(loss) : smoothed + rate() * (static_cast<double>(loss) - smoothed);
    pending += tokens;
    if (now >= due) {
      show(step, now);
    }
  }
  /// A line that stays, above the changing one.
  void note(const std::string &text);
  /// Ends the changing line.
  void finish();

private:
  double rate() const { return seen < 50 ? 1.0 / static_cast<double>(seen + 1) : 0.02; }
  void show(std::int64_t step, std::int64_t now);
  void say(const std::string &text);

  Mode mode;
  bool color = false, shown = false;
  std::int64_t total, perEpoch, first;
  std::int64_t start, last, due;
  std::int64_t pending = 0, seen = 0;
  double smoothed = 0, speed = 0;
};

/// Resident memory of this process in bytes.
std::int64_t residentMemory();
/// Monotonic nanoseconds.
std::int64_t monotonicNow();

} // namespace penstock
