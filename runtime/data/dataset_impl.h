// The one Dataset there is, as batch_stream.cpp needs to see it.
#pragma once

#include "runtime/data/dataset.h"
#include "runtime/data/series.h"
#include "runtime/data/split_ids.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

class SplitDataset : public Dataset {
public:
  SplitDataset(RecordProgram program, Fitted fitted, SplitIds ids, bool lastOnly = false);
  static Result<std::shared_ptr<const SplitDataset>> openWith(const RecordsSpec &records, const std::string &split, DataPlugins &factory,
                                                              const Options &options);

  std::int64_t records() const override { return program.isSeries() ? static_cast<std::int64_t>(series.size()) : ids.records; }
  /// The row whose cells are those of a record.
  std::int64_t rowOf(std::int64_t record) const { return program.isSeries() ? series[static_cast<std::size_t>(record)].last : record; }
  std::int64_t tokens() const override;
  const std::vector<std::int32_t> &classesOf(const std::string &column) const override;
  const std::vector<double> &numbersOf(const std::string &column) const override;
  const std::vector<std::uint8_t> &setsOf(const std::string &column) const override;
  std::vector<std::string> classNames(const std::string &column) const override;
  Tags tagsOf(const std::string &column) const override;
  std::vector<std::string> otherClasses(const std::string &column) const override;
  OtherLabels otherLabelsOf(const std::string &column) const override;
  double invert(const std::string &feature, double result) const override;

  RecordProgram program;
  Fitted fitted;
  SplitIds ids;
  std::vector<SeriesRecord> series; // where records are of several rows

private:
  std::vector<std::vector<std::int32_t>> classes; // one a column
  std::vector<std::vector<double>> numbers;       // likewise
  std::vector<std::vector<std::uint8_t>> sets;    // likewise
};

} // namespace penstock
