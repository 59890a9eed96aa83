#include "runtime/cuda/graphs.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace penstock::cuda {

namespace {

// A graph of a step of some hundred launches takes about a megabyte; a training of ragged batches has some 20 buckets.
constexpr std::size_t mostKept = 128;

} // namespace

bool graphsAreUsed() {
  const char *const asked = std::getenv("PENSTOCK_CUDA_GRAPHS");
  return asked == nullptr || std::string_view(asked) != "0";
}

void describeLaunch(const PenstockProgram *program, const Launch &launch, std::vector<std::uint64_t> &key) {
  const PenstockCall &call = launch.call;
  key.clear();
  const auto add = [&](const auto *address) { key.push_back(reinterpret_cast<std::uintptr_t>(address)); };
  add(launch.entry);
  add(launch.code);
  for (const void *one :
       {static_cast<const void *>(call.parameters), static_cast<const void *>(call.states), static_cast<const void *>(call.fitted),
        static_cast<const void *>(call.gradients), static_cast<const void *>(call.deferred), static_cast<const void *>(call.arena),
        static_cast<const void *>(call.block), static_cast<const void *>(call.symbols), static_cast<const void *>(call.handles)}) {
    add(one);
  }
  const PenstockBatch &batch = *call.batch;
  add(batch.record_numbers);
  for (std::int32_t i = 0; i < program->axes.count; ++i) {
    key.push_back(static_cast<std::uint64_t>(call.capacities[i]));
    const PenstockAxisBatch &axis = batch.axes[i];
    for (const std::int32_t *array :
         {axis.offsets, axis.row_parent, axis.row_position, axis.row_record, axis.row_place, axis.row_segment, axis.row_word}) {
      add(array);
    }
  }
  key.push_back(static_cast<std::uint64_t>(call.capacities[program->axes.count]));
  for (std::int32_t i = 0; i < program->inputs.count; ++i) {
    add(batch.inputs[i]);
  }
  for (std::int32_t i = 0; call.outputs != nullptr && i < launch.entry->outputs.count; ++i) {
    add(call.outputs[i]);
  }
}

Graphs::~Graphs() {
  for (auto &[key, kept] : all) {
    forget(kept);
  }
}

Graphs::Kept *Graphs::find(const std::vector<std::uint64_t> &key) {
  const auto found = all.find(key);
  if (found == all.end()) {
    return nullptr;
  }
  found->second.lastMet = ++met;
  return &found->second;
}

void Graphs::add(std::vector<std::uint64_t> key) {
  if (all.size() >= mostKept) {
    forgetOldest();
  }
  all[std::move(key)].lastMet = ++met;
}

void Graphs::forgetOldest() {
  const auto oldest =
      std::min_element(all.begin(), all.end(), [](const auto &a, const auto &b) { return a.second.lastMet < b.second.lastMet; });
  forget(oldest->second);
  all.erase(oldest);
}

void Graphs::forget(Kept &kept) {
  if (kept.ready != nullptr) {
    (void)driver.cuGraphExecDestroy(kept.ready);
  }
}

} // namespace penstock::cuda
