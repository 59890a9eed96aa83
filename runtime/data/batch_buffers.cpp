#include "runtime/data/batch_buffers.h"

#include "runtime/base/hash.h"
#include "runtime/base/philox.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace penstock {

namespace {

/// Never shrinks: what stands behind the end is not looked at.
template <typename T> void room(std::vector<T> &items, std::int64_t count) {
  if (items.size() < static_cast<std::size_t>(count)) {
    items.resize(static_cast<std::size_t>(count));
  }
}

} // namespace

BatchBuffers::BatchBuffers(const RecordProgram &program, std::vector<std::size_t> labels)
    : program(program), labels(std::move(labels)), axes(program.axes.size()), inputs(program.inputs.size()), axisViews(program.axes.size()),
      inputViews(program.inputs.size()) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    axes[i].cutFromWords = !program.isSeriesAxis(i) && program.features[static_cast<std::size_t>(program.axes[i])].cutFromWords;
  }
}

void BatchBuffers::reserve(std::int64_t recordCount, std::int64_t rowsEach) {
  begin(recordCount);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    setRows(i, rowsEach);
  }
}

void BatchBuffers::begin(std::int64_t recordCount) {
  count = recordCount;
  tokens = 0;
  records.resize(static_cast<std::size_t>(count));
  room(numbers, count);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (program.inputs[i].kind == InputSpec::Kind::classId) {
      room(inputs[i].classes, count);
    } else if ((program.inputs[i].kind == InputSpec::Kind::number && program.inputs[i].axis < 0) ||
               program.inputs[i].kind == InputSpec::Kind::noise) {
      room(inputs[i].numbers, count * program.inputs[i].width);
    } else if (program.inputs[i].kind == InputSpec::Kind::set) {
      const std::size_t each = labels[static_cast<std::size_t>(program.inputs[i].column)];
      room(inputs[i].numbers, count * static_cast<std::int64_t>(each));
    }
  }
  for (Axis &axis : axes) {
    room(axis.offsets, count + 1);
    axis.offsets[0] = 0;
    axis.rows = axis.record = 0;
  }
}

void BatchBuffers::setRows(std::size_t axis, std::int64_t rows) {
  room(axes[axis].ids, rows);
  room(axes[axis].rowRecord, rows);
  room(axes[axis].rowPosition, rows);
  room(axes[axis].rowSegment, rows); // zeros, which only pairs change
  if (axes[axis].cutFromWords) {
    room(axes[axis].rowWord, rows);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (program.inputs[i].axis != static_cast<int>(axis)) {
      continue;
    }
    if (program.inputs[i].kind == InputSpec::Kind::tags) {
      room(inputs[i].classes, rows);
    } else if (program.inputs[i].kind == InputSpec::Kind::number) {
      room(inputs[i].numbers, rows * program.inputs[i].width);
    }
  }
}

void BatchBuffers::addRows(std::size_t index, const std::int32_t *ids, std::int64_t size, const std::int32_t *rowWord, std::int64_t first) {
  Axis &axis = axes[index];
  if (rowWord != nullptr) {
    std::memcpy(axis.rowWord.data() + axis.rows, rowWord, static_cast<std::size_t>(size) * sizeof(std::int32_t));
  }
  if (ids != nullptr) {
    std::memcpy(axis.ids.data() + axis.rows, ids, static_cast<std::size_t>(size) * sizeof(std::int32_t));
  }
  std::fill_n(axis.rowRecord.data() + axis.rows, size, static_cast<std::int32_t>(axis.record));
  std::iota(axis.rowPosition.data() + axis.rows, axis.rowPosition.data() + axis.rows + size, 0);
  if (first >= 0) {
    std::int32_t *const segments = axis.rowSegment.data() + axis.rows;
    std::fill_n(segments, first, 0);
    std::fill_n(segments + first, size - first, 1);
  }
  axis.rows += size;
  tokens += size;
  axis.offsets[static_cast<std::size_t>(++axis.record)] = static_cast<std::int32_t>(axis.rows);
}

void BatchBuffers::addSeries(std::size_t axis, std::span<const SeriesRecord> series) {
  std::int64_t rows = 0;
  for (const SeriesRecord &record : series) {
    rows += record.length();
  }
  setRows(axis, rows);
  for (const SeriesRecord &record : series) {
    addRows(axis, nullptr, record.length());
  }
}

void BatchBuffers::fillSeries(std::size_t input, std::span<const SeriesRecord> series, const float *rows) {
  float *to = inputs[input].numbers.data();
  for (const SeriesRecord &record : series) {
    to = copyRows(record, rows, program.inputs[input].width, to);
  }
}

void BatchBuffers::setTags(std::size_t index, const std::vector<const std::int32_t *> &tags, std::int32_t known) {
  const Axis &axis = axes[static_cast<std::size_t>(program.inputs[index].axis)];
  std::int32_t *out = inputs[index].classes.data();
  for (std::int64_t row = 0; row < axis.rows; ++row) {
    const std::int32_t word = axis.rowWord[static_cast<std::size_t>(row)];
    const auto record = static_cast<std::size_t>(axis.rowRecord[static_cast<std::size_t>(row)]);
    const std::int32_t tag = word < 0 ? -1 : tags[record][word];
    out[row] = tag < known ? tag : -1;
  }
}

void BatchBuffers::drawNoise(std::uint64_t seed, std::uint64_t step) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (const LinkedInput &input = program.inputs[i]; input.kind == InputSpec::Kind::noise) {
      const std::uint64_t key = hash64(input.name, seed);
      for (std::int64_t r = 0; r < count; ++r) {
        drawNormals(key, step, numbers[static_cast<std::size_t>(r)],
                    std::span(inputs[i].numbers).subspan(static_cast<std::size_t>(r * input.width), static_cast<std::size_t>(input.width)));
      }
    }
  }
}

void BatchBuffers::finish(bool withTargets) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    axisViews[i] = {axes[i].rows,
                    axes[i].offsets.data(),
                    axes[i].rowRecord.data(), // a record is the parent
                    axes[i].rowPosition.data(),
                    axes[i].rowRecord.data(),
                    axes[i].rowPosition.data(),
                    axes[i].rowSegment.data(),
                    axes[i].cutFromWords ? axes[i].rowWord.data() : nullptr};
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const LinkedInput &input = program.inputs[i];
    if (input.target && !withTargets) {
      inputViews[i] = nullptr;
    } else if (input.kind == InputSpec::Kind::ids) {
      inputViews[i] = axes[static_cast<std::size_t>(input.axis)].ids.data();
    } else if (input.kind == InputSpec::Kind::classId || input.kind == InputSpec::Kind::tags) {
      inputViews[i] = inputs[i].classes.data();
    } else {
      inputViews[i] = inputs[i].numbers.data();
    }
  }
  view = {sizeof view, sizeof axisViews.front(), count, numbers.data(), axisViews.data(), inputViews.data()};
}

} // namespace penstock
