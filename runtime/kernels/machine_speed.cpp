#include "runtime/kernels/machine_speed.h"

#include "runtime/kernels/handles.h"

#include <chrono>

namespace penstock {
namespace {

double secondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Operations a second of a loop in registers on every thread at once.
double peakOf(std::int64_t (*loop)(std::int64_t rounds), ThreadPool &pool) {
  struct Run {
    std::int64_t (*loop)(std::int64_t rounds);
    std::int64_t rounds;
  } run = {loop, 1};
  const auto body = [](void *context, std::int64_t, std::int64_t, std::int32_t) {
    const Run &what = *static_cast<const Run *>(context);
    what.loop(what.rounds);
  };
  // Rounds for some 3 ms on one thread.
  double seconds = 0;
  for (; seconds < 3e-3 && run.rounds < (std::int64_t(1) << 40); run.rounds *= 2) {
    const auto begin = std::chrono::steady_clock::now();
    loop(run.rounds);
    seconds = secondsSince(begin);
  }
  run.rounds /= 2;
  const double work = static_cast<double>(loop(run.rounds)) * pool.workers();
  double best = 0;
  for (int i = 0; i < 4; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    pool.parallelFor(body, &run, pool.workers(), 1);
    best = std::max(best, work / secondsSince(begin));
  }
  return best;
}

constexpr std::int64_t streamFloats = 8 << 20, streamPieces = 64;

} // namespace

Result<MachineSpeed> measureMachine(Level level, ThreadPool &pool) {
  MachineSpeed speed;
  speed.fp32 = peakOf(levelTable(level).contractions.peak, pool);
  if (const PenstockContractions *bf16 = bf16Contractions(level)) {
    speed.bf16 = peakOf(bf16->peak, pool);
  }
  PENSTOCK_ASSIGN(Floats room, makeFloats(3 * streamFloats, "the arrays of a stream of memory"));
  struct Run {
    void (*stream)(float *a, const float *b, const float *c, std::int64_t count);
    float *at;
  } run = {levelTable(level).stream, room.get()};
  const auto body = [](void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
    const Run &what = *static_cast<const Run *>(context);
    const std::int64_t piece = streamFloats / streamPieces, first = begin * piece;
    what.stream(what.at + first, what.at + streamFloats + first, what.at + 2 * streamFloats + first, (end - begin) * piece);
  };
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    pool.parallelFor(body, &run, streamPieces, 1);
    speed.stream = std::max(speed.stream, 3.0 * streamFloats * sizeof(float) / secondsSince(begin));
  }
  return speed;
}

} // namespace penstock
