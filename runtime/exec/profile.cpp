#include "runtime/exec/profile.h"

#include "runtime/base/program_rows.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <tuple>

namespace penstock {
namespace {

constexpr std::size_t tracedSteps = std::size_t{1} << 15; // 1.5 MiB of events
constexpr std::size_t shownRows = 30;
constexpr std::size_t mostInFlight = 64; // launches of a session: it lets a device be 8 behind

const char *textOr(const char *text, const char *otherwise) { return text != nullptr && *text != '\0' ? text : otherwise; }

} // namespace

void Profile::Sum::add(const Sum &other) {
  calls += other.calls;
  nanoseconds += other.nanoseconds;
  flops += other.flops;
  bytes += other.bytes;
}

Profile::Profile(const PenstockProgram &program, const MachineSpeed &machine, int workers, std::vector<std::string> objectives)
    : program(program), machine(machine), workers(workers), objectives(std::move(objectives)) {
  for (const PenstockEntry &entry : entriesOf(this->program)) {
    sums.emplace_back(stepsOf(entry).size());
  }
  events.reserve(tracedSteps);
  const std::size_t axes = axesOf(this->program).size();
  shapes.assign(mostInFlight, Shape{nullptr, 0, std::vector<double>(axes), std::vector<double>(axes)});
}

double Profile::amount(const PenstockAmount &amount, const Shape &shape) const {
  double sum = static_cast<double>(amount.constant) + static_cast<double>(amount.per_record) * shape.records;
  for (std::size_t axis = 0; axis < shape.rows.size(); ++axis) {
    sum += static_cast<double>(amount.per_row[axis]) * shape.rows[axis] + static_cast<double>(amount.per_pair[axis]) * shape.pairs[axis];
  }
  return sum;
}

std::int64_t Profile::submitted(const PenstockEntry &entry, const PenstockBatch *batch) {
  Shape &shape = shapes[static_cast<std::size_t>(launches) % shapes.size()];
  shape.entry = &entry;
  shape.records = batch == nullptr ? 0 : static_cast<double>(batch->records);
  for (std::size_t axis = 0; axis < shape.rows.size(); ++axis) {
    shape.rows[axis] = shape.pairs[axis] = 0;
    if (batch == nullptr) {
      continue;
    }
    const PenstockAxisBatch &rows = batch->axes[axis];
    shape.rows[axis] = static_cast<double>(rows.rows);
    const int parent = axesOf(program)[axis].parent;
    const std::int64_t segments = parent == PENSTOCK_RECORDS ? batch->records : batch->axes[parent].rows;
    for (std::int64_t r = 0; r < segments; ++r) {
      const double length = rows.offsets[r + 1] - rows.offsets[r];
      shape.pairs[axis] += length * length;
    }
  }
  return launches++;
}

void Profile::ran(std::int64_t launch, int index, std::int64_t begin, std::int64_t end) {
  const Shape &shape = shapes[static_cast<std::size_t>(launch) % shapes.size()];
  const PenstockEntry &entry = *shape.entry;
  const int place = placeOf(entriesOf(program), [&](const PenstockEntry &one) { return &one == &entry; });
  Sum &sum = sums[static_cast<std::size_t>(place)][static_cast<std::size_t>(index)];
  const PenstockStepWork *work = stepsOf(entry)[index].work;
  const double flops = work == nullptr ? 0 : amount(*work->flops, shape), bytes = work == nullptr ? 0 : amount(*work->bytes, shape);
  sum.add({1, end - begin, flops, bytes});
  if (events.size() < events.capacity()) {
    begun = events.empty() ? begin : begun;
    events.push_back({&entry, index, begin, end, flops, bytes});
  }
}

std::string Profile::rates(const Sum &sum) const {
  const double seconds = static_cast<double>(std::max<std::int64_t>(sum.nanoseconds, 1)) * 1e-9;
  const auto share = [&](double amount, double peak) {
    return peak > 0 ? fmt::format("{:6.1f}%", 100 * amount / seconds / peak) : "      -";
  };
  return fmt::format("{:9.1f} {} {:8.1f} {}", sum.flops / seconds * 1e-9, share(sum.flops, machine.fp32), sum.bytes / seconds * 1e-9,
                     share(sum.bytes, machine.stream));
}

std::string Profile::text() const {
  std::string text;
  for (std::size_t e = 0; e < sums.size(); ++e) {
    if (std::string_view(entriesOf(program)[e].name) == "train_step" && !sums[e].empty()) {
      text += (text.empty() ? "" : "\n") + textOf(e);
    }
  }
  return text;
}

std::string Profile::textOf(std::size_t e) const {
  const PenstockEntry &entry = entriesOf(program)[e];
  const std::string &name = objectives[static_cast<std::size_t>(entry.objective)];
  const std::string of = name.empty() ? "" : fmt::format(" of objective `{}`", name);
  struct Row {
    Sum sum;
    int steps = 0;
    const char *kind, *what, *where;
  };
  // Steps that share code and stand at the same place are the layers of a model.
  std::map<std::tuple<PenstockStepFunction, std::string>, Row> rows;
  std::map<std::string, Sum> kinds;
  Sum all;
  for (std::size_t i = 0; i < sums[e].size(); ++i) {
    const PenstockStep &step = stepsOf(entry)[i];
    const Sum &sum = sums[e][i];
    const char *kind = step.work ? textOr(step.work->kind, "") : "", *what = step.work ? textOr(step.work->what, "") : "";
    const char *where = step.work ? textOr(step.work->where, "-") : "-";
    Row &row = rows.try_emplace({step.run, where}, Row{{}, 0, kind, what, where}).first->second;
    row.sum.add(sum);
    ++row.steps;
    kinds[kind].add(sum);
    all.add(sum);
  }
  const auto runs = std::max<std::int64_t>(sums[e][0].calls, 1);
  const double total = static_cast<double>(std::max<std::int64_t>(all.nanoseconds, 1));
  const auto perRun = [&](const Sum &sum) { return static_cast<double>(sum.nanoseconds) / static_cast<double>(runs) * 1e-6; };
  std::string text =
      fmt::format("profile of {} training steps{}: {:.3f} ms a step, {:.1f} GFLOP/s, {:.1f} GB/s; {}; {} peak {:.1f} GFLOP/s "
                  "(float32 multiply-adds) and {:.1f} GB/s ({})\n\n",
                  runs, of, perRun(all), all.flops / total, all.bytes / total,
                  machine.device.empty() ? fmt::format("{} worker{}", workers, workers == 1 ? "" : "s") : machine.device,
                  machine.device.empty() ? "measured" : "by its clocks", machine.fp32 * 1e-9, machine.stream * 1e-9,
                  machine.device.empty() ? "stream" : "memory");
  const char *heading = "   time  ms a step   GFLOP/s of peak     GB/s of stream";
  std::vector<const Row *> sorted;
  for (const auto &[key, row] : rows) {
    sorted.push_back(&row);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Row *a, const Row *b) { return a->sum.nanoseconds > b->sum.nanoseconds; });
  text += fmt::format("{}  steps  place and operations\n", heading);
  Sum rest;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const Row &row = *sorted[i];
    if (i >= shownRows) {
      rest.add(row.sum);
      continue;
    }
    text += fmt::format("{:6.1f}% {:9.3f} {} {:6}  {}  {}\n", 100 * static_cast<double>(row.sum.nanoseconds) / total, perRun(row.sum),
                        rates(row.sum), row.steps, row.where, row.what);
  }
  if (rest.calls > 0) {
    text += fmt::format("{:6.1f}% {:9.3f} {}         everything else\n", 100 * static_cast<double>(rest.nanoseconds) / total, perRun(rest),
                        rates(rest));
  }
  text += fmt::format("\n{}  MB a step  kind\n", heading);
  std::vector<std::pair<std::string, Sum>> byKind(kinds.begin(), kinds.end());
  std::stable_sort(byKind.begin(), byKind.end(), [](const auto &a, const auto &b) { return a.second.nanoseconds > b.second.nanoseconds; });
  for (const auto &[kind, sum] : byKind) {
    text += fmt::format("{:6.1f}% {:9.3f} {} {:10.2f}  {}\n", 100 * static_cast<double>(sum.nanoseconds) / total, perRun(sum), rates(sum),
                        sum.bytes / static_cast<double>(runs) * 1e-6, kind);
  }
  return text;
}

std::string Profile::trace() const {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const Event &event : events) {
    const PenstockStepWork *work = stepsOf(*event.entry)[event.index].work;
    Json one;
    one["name"] = work ? textOr(work->what, "step") : "step";
    one["cat"] = work ? textOr(work->kind, "step") : "step";
    one["ph"] = "X";
    one["ts"] = static_cast<double>(event.begin - begun) * 1e-3; // the trace's word for "when", in microseconds
    one["dur"] = static_cast<double>(event.end - event.begin) * 1e-3;
    one["pid"] = 1;
    one["tid"] = 1;
    one["args"] = {{"entry", event.entry->name},
                   {"step", event.index},
                   {"where", work ? textOr(work->where, "") : ""},
                   {"flops", event.flops},
                   {"bytes", event.bytes}};
    list.push_back(std::move(one));
  }
  Json json;
  json["displayTimeUnit"] = "ms";
  json["traceEvents"] = std::move(list);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace penstock
