#include "tests/cuda/driver/work.h"

#include "runtime/cuda/kernels/device.h"
#include "tests/cuda/driver/memory.h"
#include "tests/cuda/driver/settings.h"
#include "tests/cuda/emulator/emulator.h"

#include <xmmintrin.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

namespace penstock::fake {

using namespace cuda;

namespace {

std::set<CUstream> &streams() {
  static std::set<CUstream> all;
  return all;
}

struct Prepared {
  void (*call)(void *const *);
  void *const *arguments;
};

/// A card keeps subnormal numbers, whatever the thread that waits for it does.
class KeepSubnormals {
public:
  KeepSubnormals() : before(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~KeepSubnormals() { _mm_setcsr(before); }

private:
  unsigned before;
};

void runLaunch(Work &work) {
  const KeepSubnormals here;
  const CUfunc_st &function = *work.function;
  ++counts().launches[function.name];
  std::vector<void *> arguments;
  for (std::vector<unsigned char> &argument : work.arguments) {
    arguments.push_back(argument.data());
  }
  emulator::Launch launch;
  launch.threads = static_cast<int>(work.threads);
  launch.sharedBytes = work.sharedBytes;
  launch.name = function.name.c_str();
  launch.skippedBarrier = function.name == settings().skippedIn ? settings().skipped : -1;
  std::copy_n(work.grid, 3, launch.grid);
  if (function.whole != nullptr && settings().whole) {
    emulated_place.threads = launch.threads;
    std::copy_n(launch.grid, 3, emulated_place.grid);
    function.whole->call(arguments.data());
    return;
  }
  Prepared prepared = {function.call, arguments.data()};
  emulator::run(
      launch, static_cast<emulator::Schedule>(settings().schedule),
      [](void *context) {
        const Prepared &it = *static_cast<Prepared *>(context);
        it.call(it.arguments);
      },
      &prepared);
}

void runWork(Work &work) {
  if (stuck() != CUDA_SUCCESS) {
    return; // nothing runs any more
  }
  Counts &counted = counts();
  if (work.kind != WorkKind::record && work.kind != WorkKind::wait && work.kind != WorkKind::graph) {
    ++counted.work;
    const CUresult error = called("work");
    if (error != CUDA_SUCCESS) {
      stick(error);
      return;
    }
  }
  switch (work.kind) {
  case WorkKind::launch:
    runLaunch(work);
    break;
  case WorkKind::copyIn:
    ++counted.copiesIn;
    counted.bytesIn += static_cast<std::int64_t>(work.bytes);
    std::memcpy(work.to, work.from, work.bytes);
    break;
  case WorkKind::copyOut:
    ++counted.copiesOut;
    counted.bytesOut += static_cast<std::int64_t>(work.bytes);
    std::memcpy(work.to, work.from, work.bytes);
    break;
  case WorkKind::set:
    ++counted.sets;
    std::memset(work.to, work.value, work.bytes);
    break;
  case WorkKind::record:
    work.event->time = std::chrono::steady_clock::now();
    break;
  case WorkKind::wait:
    if (work.other != nullptr && streams().contains(work.other)) {
      run(work.other, work.number, INT64_MAX);
    }
    break;
  case WorkKind::graph:
    for (Work &node : work.nodes) {
      runWork(node);
    }
    break;
  }
}

} // namespace

CUstream makeStream() {
  const CUstream made = new CUstream_st;
  streams().insert(made);
  return made;
}

CUstream streamOf(CUstream stream) {
  static const CUstream usual = makeStream();
  return stream != nullptr ? stream : usual;
}

void dropStream(CUstream stream) {
  run(stream, stream->enqueued, INT64_MAX);
  streams().erase(stream);
  delete stream;
}

CUresult enqueue(CUstream stream, Work work) {
  if (stream->capturing) {
    stream->captured.push_back(std::move(work));
    return CUDA_SUCCESS;
  }
  stream->waiting.push_back(std::move(work));
  ++stream->enqueued;
  if (static_cast<std::int64_t>(stream->waiting.size()) > settings().queue) {
    run(stream, stream->enqueued, std::max<std::int64_t>(1, settings().queue / 2));
  }
  return CUDA_SUCCESS;
}

void run(CUstream stream, std::int64_t number, std::int64_t most) {
  if (stream->finished >= number || stream->waiting.empty()) {
    return;
  }
  const OpenMemory open;
  while (stream->finished < number && most-- > 0 && !stream->waiting.empty()) {
    Work work = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    runWork(work);
    ++stream->finished;
  }
}

void runAll() {
  const std::vector<CUstream> all(streams().begin(), streams().end());
  for (const CUstream stream : all) {
    run(stream, stream->enqueued, INT64_MAX);
  }
}

bool done(const CUevent_st &event) {
  return event.stream == nullptr || !streams().contains(event.stream) || event.stream->finished >= event.number;
}

} // namespace penstock::fake
