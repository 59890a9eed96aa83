#include "runtime/data/dataset_impl.h"

namespace penstock {

SplitDataset::SplitDataset(RecordProgram recordProgram, Fitted fittedOnTrain, SplitIds splitIds, bool lastOnly)
    : program(std::move(recordProgram)), fitted(std::move(fittedOnTrain)), ids(std::move(splitIds)), classes(program.columns.size()),
      numbers(program.columns.size()), sets(program.columns.size()) {
  for (std::int64_t unit = 0; unit < ids.unitCount; ++unit) {
    addRecords(program.series, lastOnly ? SeriesSpec::Take::last : program.series.take,
               {ids.units[unit], ids.before[unit], ids.units[unit + 1]}, series);
  }
  const auto take = [this](const auto *rows, auto &ofRecords) {
    ofRecords.reserve(static_cast<std::size_t>(records()));
    for (std::int64_t record = 0; record < records(); ++record) {
      ofRecords.push_back(rows[rowOf(record)]);
    }
  };
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (ids.classes[i] != nullptr) {
      take(ids.classes[i], classes[i]);
    }
    if (ids.numbers[i] != nullptr) {
      take(ids.numbers[i], numbers[i]);
    }
    if (ids.sets[i] != nullptr) {
      sets[i].assign(ids.sets[i], ids.sets[i] + ids.records * static_cast<std::int64_t>(fitted.classes[i].size()));
    }
  }
}

Result<std::shared_ptr<const SplitDataset>> SplitDataset::openWith(const RecordsSpec &records, const std::string &split,
                                                                   DataPlugins &factory, const Options &options) {
  PENSTOCK_ASSIGN(RecordProgram program, RecordProgram::link(records, &factory));
  SplitRequest request;
  request.split = splitIndex(split);
  if (request.split < 0) {
    return invalidInput("no split `" + split + "`: there are `train`, `dev` and `test`");
  }
  const std::vector<std::string> paths = program.filesOf(request.split);
  if (paths.empty()) {
    std::string others;
    for (const char *const one : splitNames) {
      others += program.filesOf(splitIndex(one)).empty() ? "" : (others.empty() ? "`" : ", `") + std::string(one) + "`";
    }
    return invalidInput("the pipeline has no files of the split `" + split + "`; it has " + others);
  }
  for (const std::string &path : paths) {
    if (fileIsMissing(path)) {
      return invalidInput("no file `" + path + "` for the split `" + split +
                          "`; where the data moved, `--set` the param that says where they are");
    }
  }
  PENSTOCK_ASSIGN(Fitted fitted, readFitted(program, options.fitted, factory));
  request.program = &program;
  request.fitted = &fitted;
  request.factory = &factory;
  request.stamp = stampOf(paths);
  request.threads = options.threads;
  PENSTOCK_ASSIGN(request.content, hashOf(paths));
  if (program.comparesFiles()) { // as the facts hash them
    Hasher128 all;
    for (int before = 0; before < request.split; ++before) {
      const bool isThere = program.wanted[static_cast<std::size_t>(before)];
      PENSTOCK_ASSIGN(const Hash128 content, isThere ? hashOf(program.filesOf(before)) : Hash128{});
      all.addPart(isThere ? content.hex() : "");
    }
    all.addPart(request.content.hex());
    request.content = all.value();
  }
  PENSTOCK_ASSIGN(SplitIds ids, openSplit(request, DiskCache(options.cache)));
  try {
    return std::shared_ptr<const SplitDataset>(
        std::make_shared<SplitDataset>(std::move(program), std::move(fitted), std::move(ids), options.lastOnly));
  } catch (const std::bad_alloc &) {
    return environmentError("not enough memory for the columns of the data");
  }
}

std::int64_t SplitDataset::tokens() const {
  std::int64_t sum = 0;
  for (const SplitIds::Axis &axis : ids.features) {
    sum += axis.tokens;
  }
  for (const SeriesRecord &record : series) {
    sum += record.length();
  }
  return sum;
}

const std::vector<std::int32_t> &SplitDataset::classesOf(const std::string &column) const {
  static const std::vector<std::int32_t> none;
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (program.columns[i].name == column) {
      return classes[i];
    }
  }
  return none;
}

const std::vector<double> &SplitDataset::numbersOf(const std::string &column) const {
  static const std::vector<double> none;
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (program.columns[i].name == column) {
      return numbers[i];
    }
  }
  return none;
}

const std::vector<std::uint8_t> &SplitDataset::setsOf(const std::string &column) const {
  static const std::vector<std::uint8_t> none;
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (program.columns[i].name == column) {
      return sets[i];
    }
  }
  return none;
}

std::vector<std::string> SplitDataset::classNames(const std::string &column) const {
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (program.columns[i].name == column) {
      return fitted.classes[i];
    }
  }
  return {};
}

Dataset::Tags SplitDataset::tagsOf(const std::string &column) const {
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (program.columns[i].name == column) {
      return {ids.tags[i].tags, ids.tags[i].offsets};
    }
  }
  return {};
}

std::vector<std::string> SplitDataset::otherClasses(const std::string &column) const {
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (program.columns[i].name == column) {
      return ids.others[i];
    }
  }
  return {};
}

double SplitDataset::invert(const std::string &feature, double result) const {
  for (std::size_t d = 0; d < program.derived.size(); ++d) {
    if (program.derived[d].name == feature) {
      return invertSteps(program.derived[d], fitted.derived[d], result);
    }
  }
  return result;
}

Dataset::OtherLabels SplitDataset::otherLabelsOf(const std::string &column) const {
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    if (program.columns[i].name == column) {
      const SplitIds::OtherLabels &found = ids.otherLabels[i];
      return {found.records, found.labels, found.count};
    }
  }
  return {};
}

} // namespace penstock
