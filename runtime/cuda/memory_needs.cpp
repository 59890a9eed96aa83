#include "runtime/cuda/memory_needs.h"

#include "runtime/base/program_rows.h"
#include "runtime/cuda/cuda_device.h"
#include "runtime/cuda/handles.h"

#include <algorithm>
#include <vector>

namespace penstock::cuda {

namespace {

/// Gives addresses without memory, and adds up what was asked for.
class Counting final : public Device {
public:
  std::int64_t taken = 0;

  std::string_view name() const override { return "cuda"; }
  bool isHost() const override { return false; }
  Result<void *> allocate(std::size_t &bytes, const char *, bool) override {
    taken += static_cast<std::int64_t>(bytes);
    return reinterpret_cast<void *>(std::uintptr_t{4096});
  }
  void release(void *, std::size_t) override {}
  Result<std::unique_ptr<Stream>> openStream() override { return internalError("a device without memory was to compute"); }
  std::int64_t capacity(std::int64_t rows) const override { return bucketOf(rows); }
};

} // namespace

Result<MemoryNeeds> memoryOfTraining(const PenstockProgram &program, std::int64_t records, std::int64_t rows) {
  constexpr std::int64_t number = sizeof(float);
  MemoryNeeds needs;
  needs.parameters = program.parameter_elements * number;
  needs.states = (program.state_elements + program.fitted_elements) * number;
  needs.gradients = program.gradient_elements * number + program.deferred_bytes;
  Counting device;
  for (const PenstockDispatch &dispatch : dispatchesOf(program)) {
    PENSTOCK_TRY(makeHandle(dispatch, device).status());
  }
  needs.packed = device.taken;
  std::vector<std::int64_t> capacities(axesOf(program).size(), bucketOf(rows));
  capacities.push_back(bucketOf(records));
  for (const PenstockEntry &entry : entriesOf(program)) {
    PENSTOCK_ASSIGN(const std::int64_t working, arenaBytes(entry, capacities, 1).get("the working memory of a step"));
    needs.working = std::max(needs.working, working);
  }
  return needs;
}

} // namespace penstock::cuda
