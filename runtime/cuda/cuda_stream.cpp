#include "runtime/base/program_rows.h"
#include "runtime/cuda/cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <utility>

namespace penstock::cuda {

CudaStream::~CudaStream() {
  device.use();
  const Driver &calls = device.driver();
  (void)calls.cuStreamSynchronize(stream);
  for (const Mark &mark : marks) {
    (void)calls.cuEventDestroy_v2(mark.event);
  }
  for (const Timed &one : timed) {
    spareTimed.insert(spareTimed.end(), one.events.begin(), one.events.end());
  }
  spare.insert(spare.end(), spareTimed.begin(), spareTimed.end());
  spare.push_back(clock);
  for (const CUevent event : spare) {
    (void)(event == nullptr ? CUDA_SUCCESS : calls.cuEventDestroy_v2(event));
  }
  (void)calls.cuStreamDestroy_v2(stream);
}

void CudaStream::fail(Status status) {
  if (failure.ok() && !status.ok()) {
    failure = std::move(status);
  }
}

bool CudaStream::check(CUresult result, std::string_view doing) {
  if (result != CUDA_SUCCESS) {
    fail(device.judge(result, doing));
  }
  return failure.ok();
}

Status CudaStream::copyIn(void *to, const void *from, std::size_t bytes) {
  if (failure.ok() && bytes > 0) {
    device.use();
    dirty = true;
    check(device.driver().cuMemcpyHtoDAsync_v2(reinterpret_cast<CUdeviceptr>(to), from, bytes, stream), "while a copy to the card began");
  }
  return failure;
}

Status CudaStream::copyOut(void *to, const void *from, std::size_t bytes) {
  if (failure.ok() && bytes > 0) {
    device.use();
    dirty = true;
    check(device.driver().cuMemcpyDtoHAsync_v2(to, reinterpret_cast<CUdeviceptr>(from), bytes, stream), "while a copy from the card began");
  }
  return failure;
}

Status CudaStream::launch(const Launch &launch) {
  if (!failure.ok()) {
    return failure;
  }
  device.use();
  code = static_cast<const CudaCode *>(launch.code);
  static const bool kept = graphsAreUsed();
  if (launch.observer != nullptr) {
    timeSteps(launch);
  } else if (kept && launch.call.batch != nullptr) {
    replay(launch);
  } else {
    runSteps(launch);
  }
  code = nullptr;
  return failure;
}

void CudaStream::runSteps(const Launch &launch) {
  PenstockCall call = launch.call;
  call.stream = context();
  penstock_run_entry(launch.entry, &call);
  pack();
}

CUevent CudaStream::timedEvent() {
  CUevent event = nullptr;
  if (!spareTimed.empty()) {
    event = spareTimed.back();
    spareTimed.pop_back();
  } else if (!check(device.driver().cuEventCreate(&event, CU_EVENT_DEFAULT), "while an event was made")) {
    return nullptr;
  }
  check(device.driver().cuEventRecord(event, stream), "while an event was recorded");
  return event;
}

void CudaStream::timeSteps(const Launch &launch) {
  PenstockCall call = launch.call;
  call.stream = context();
  clock = clock == nullptr ? timedEvent() : clock;
  Timed &one = timed.emplace_back(issued + 1, launch.observer, launch.number, std::vector<CUevent>{timedEvent()});
  const auto steps = stepsOf(*launch.entry);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].run(&call, steps[i].numbers);
    if (i + 1 == steps.size()) {
      pack();
    }
    one.events.push_back(timedEvent());
  }
  dirty = true;
}

// Times are float milliseconds, which tell microseconds apart for some seconds: so those of a launch count from its beginning.
void CudaStream::tellTimes(Ticket ticket) {
  const auto between = [&](CUevent begin, CUevent end) {
    float milliseconds = 0;
    check(device.driver().cuEventElapsedTime(&milliseconds, begin, end), "while a step's time was asked for");
    return static_cast<std::int64_t>(static_cast<double>(milliseconds) * 1e6);
  };
  for (; !timed.empty() && timed.front().ticket <= ticket && failure.ok(); timed.pop_front()) {
    const Timed &one = timed.front();
    const std::int64_t began = between(clock, one.events.front());
    std::int64_t begin = began;
    for (std::size_t i = 1; i < one.events.size(); ++i) {
      const std::int64_t end = began + between(one.events.front(), one.events[i]);
      one.observer->ran(one.number, static_cast<int>(i) - 1, begin, end);
      begin = end;
    }
    spareTimed.insert(spareTimed.end(), one.events.begin(), one.events.end());
  }
}

// When it is met first, its kernels may have to be loaded, which no capture allows.
void CudaStream::replay(const Launch &launch) {
  describeLaunch(&code->program(), launch, key);
  Graphs::Kept *const kept = graphs.find(key);
  if (kept == nullptr) {
    graphs.add(key);
    runSteps(launch);
    return;
  }
  if (kept->ready == nullptr) {
    kept->ready = capture(launch);
  }
  if (kept->ready != nullptr) {
    dirty = true;
    check(device.driver().cuGraphLaunch(kept->ready, stream), "while a graph was enqueued");
  } else {
    runSteps(launch);
  }
}

CUgraphExec CudaStream::capture(const Launch &launch) {
  const Driver &calls = device.driver();
  if (!check(calls.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), "while a graph was begun")) {
    return nullptr;
  }
  runSteps(launch);
  CUgraph graph = nullptr;
  CUgraphExec ready = nullptr;
  if (check(calls.cuStreamEndCapture(stream, &graph), "while a graph was captured")) {
    check(calls.cuGraphInstantiateWithFlags(&ready, graph, 0), "while a graph was made");
  }
  if (graph != nullptr) {
    (void)calls.cuGraphDestroy(graph);
  }
  return ready;
}

void CudaStream::enqueue(const LibraryKernel &kernel, const Grid &grid, int threads, std::size_t sharedBytes, void *const *arguments) {
  pack();
  if (!failure.ok()) {
    return;
  }
  Result<LoadedKernel> loaded = device.kernel(kernel, sharedBytes);
  if (!loaded.ok()) {
    fail(loaded.status());
    return;
  }
  loaded->threads = threads;
  loaded->sharedBytes = sharedBytes;
  enqueue(*loaded, kernel.name(), grid, arguments);
}

void CudaStream::pack() {
  if (!packing.empty()) {
    const std::vector<PackJob> jobs = std::exchange(packing, {}); // what is enqueued now waits for no packing
    PenstockCall call = {};
    call.stream = context();
    launchPacking(&call, jobs);
  }
}

void CudaStream::enqueue(std::int64_t index, std::int64_t blocks, void *const *arguments) {
  pack();
  if (code == nullptr || index < 0 || index >= std::ssize(code->functions())) {
    fail(internalError("a program launched code that it does not have; please report this"));
    return;
  }
  const auto at = static_cast<std::size_t>(index);
  enqueue(code->functions()[at], codeOf(code->program())[at].name, {blocks, 1, 1}, arguments);
}

void CudaStream::enqueue(const LoadedKernel &kernel, const char *name, const Grid &grid, void *const *arguments) {
  if (!failure.ok() || grid.x <= 0 || grid.y <= 0 || grid.z <= 0) {
    return;
  }
  if (grid.x > INT_MAX || grid.y > USHRT_MAX || grid.z > USHRT_MAX) {
    fail(environmentError(fmt::format("a batch is too large for the card: the kernel `{}` would need {} x {} x {} blocks; take a smaller "
                                      "`train.batch`",
                                      name, grid.x, grid.y, grid.z)));
    return;
  }
  dirty = true;
  const CUresult result =
      device.driver().cuLaunchKernel(kernel.function, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                                     static_cast<unsigned>(grid.z), static_cast<unsigned>(kernel.threads), 1, 1,
                                     static_cast<unsigned>(kernel.sharedBytes), stream, const_cast<void **>(arguments), nullptr);
  if (result != CUDA_SUCCESS) {
    check(result, fmt::format("while the kernel `{}` was enqueued", name));
  }
}

Ticket CudaStream::ticket() {
  if (!dirty || !failure.ok()) {
    return issued;
  }
  device.use();
  CUevent event = nullptr;
  if (!spare.empty()) {
    event = spare.back();
    spare.pop_back();
  } else if (!check(device.driver().cuEventCreate(&event, CU_EVENT_DISABLE_TIMING), "while an event was made")) {
    return ++issued; // `wait` tells
  }
  marks.push_back({++issued, event});
  check(device.driver().cuEventRecord(event, stream), "while an event was recorded");
  dirty = false;
  return issued;
}

void CudaStream::finish(Ticket ticket) {
  while (!marks.empty() && marks.front().ticket <= ticket) {
    spare.push_back(marks.front().event);
    marks.pop_front();
  }
  finished = std::max(finished, ticket);
  tellTimes(finished);
}

bool CudaStream::done(Ticket ticket) {
  if (ticket <= finished) {
    return true;
  }
  device.use();
  while (failure.ok() && !marks.empty() && marks.front().ticket <= ticket) {
    const CUresult result = device.driver().cuEventQuery(marks.front().event);
    if (result == CUDA_ERROR_NOT_READY) {
      return false;
    }
    if (check(result, "while the card computed")) {
      finish(marks.front().ticket);
    }
  }
  return failure.ok(); // which `wait` tells
}

Status CudaStream::wait(Ticket ticket) {
  device.use();
  while (failure.ok() && finished < ticket && !marks.empty()) {
    // The last mark that is no later: those before it are done, too.
    const auto later = std::find_if(marks.begin(), marks.end(), [&](const Mark &mark) { return mark.ticket > ticket; });
    if (later == marks.begin()) {
      break;
    }
    const Mark &mark = *std::prev(later);
    if (check(device.driver().cuEventSynchronize(mark.event), "while the card computed")) {
      finish(mark.ticket);
    }
  }
  return failure;
}

void enqueue(const PenstockCall *call, const LibraryKernel &kernel, const Grid &grid, int threads, std::size_t sharedBytes,
             void *const *arguments, const std::uint32_t *, int) {
  CudaStream::of(call).enqueue(kernel, grid, threads, sharedBytes, arguments);
}

void packLater(const PenstockCall *call, const PackJob &job) { CudaStream::of(call).packLater(job); }

} // namespace penstock::cuda

void penstock_launch(const PenstockCall *call, std::int64_t code, std::int64_t blocks, void *const *arguments, std::int64_t) {
  penstock::cuda::CudaStream::of(call).enqueue(code, blocks, arguments);
}
