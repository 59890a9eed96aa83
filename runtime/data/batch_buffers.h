// A batch with the memory that its view points into; reused from batch to batch.
#pragma once

#include "runtime/data/dataset.h"
#include "runtime/data/record_program.h"
#include "runtime/data/series.h"

#include <cstdint>
#include <span>
#include <vector>

namespace penstock {

class BatchBuffers : public Batch {
public:
  /// `labels`: one a column, the number of a set's labels.
  BatchBuffers(const RecordProgram &program, std::vector<std::size_t> labels);

  /// Makes room ahead, so that batches up to this size allocate nothing.
  void reserve(std::int64_t recordCount, std::int64_t rowsEach);
  /// Begins a batch of this many records. `setRows` for every axis, then values, then `finish`.
  void begin(std::int64_t recordCount);
  /// Room for the rows of one axis: ids and positions are to be filled by `addRows`.
  void setRows(std::size_t axis, std::int64_t rows);
  /// Appends a record's ids to an axis; `rowWord` of an axis that is cut from words. From
  /// number `first` on they are of the second text of a pair (-1: there is one text).
  void addRows(std::size_t axis, const std::int32_t *ids, std::int64_t count, const std::int32_t *rowWord = nullptr,
               std::int64_t first = -1);
  /// Lays out the rows of the records of a series.
  void addSeries(std::size_t axis, std::span<const SeriesRecord> series);
  /// Fills an input on the axis of a series; `rows`: the numbers of all rows. Call when the axis is filled.
  void fillSeries(std::size_t input, std::span<const SeriesRecord> series, const float *rows);
  /// Fills an input of tags from the tags of the batch's words, record after record: `tags[r]` are
  /// those of record r. A tag from `classes` on is none of train's. Call when the axis is filled.
  void setTags(std::size_t input, const std::vector<const std::int32_t *> &tags, std::int32_t classes);
  std::int32_t *classesOf(std::size_t input) { return inputs[input].classes.data(); }
  /// Fills the inputs of noise; call when the numbers of the records are known.
  void drawNoise(std::uint64_t seed, std::uint64_t step);
  /// Of numbers, `width` a record, or of a set: labels of each record.
  float *numbersOf(std::size_t input) { return inputs[input].numbers.data(); }
  std::uint64_t *recordNumbers() { return numbers.data(); }
  /// Points the view at the memory. `withTargets` false: target inputs are NULL.
  void finish(bool withTargets);

private:
  struct Axis {
    std::vector<std::int32_t> ids, offsets, rowRecord, rowPosition, rowSegment, rowWord;
    bool cutFromWords = false;
    std::int64_t rows = 0, record = 0;
  };
  struct Input {
    std::vector<std::int32_t> classes;
    std::vector<float> numbers;
  };
  const RecordProgram &program;
  std::vector<std::size_t> labels;
  std::int64_t count = 0;
  std::vector<Axis> axes;
  std::vector<Input> inputs;
  std::vector<std::uint64_t> numbers;
  std::vector<PenstockAxisBatch> axisViews;
  std::vector<const void *> inputViews;
};

} // namespace penstock
