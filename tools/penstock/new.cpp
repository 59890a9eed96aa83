// `penstock new FILE`: looks at raw data and writes the .pipe file of a pipeline that learns from it.
#include "compiler/frontend/frontend.h"
#include "runtime/base/file.h"
#include "runtime/base/printable.h"
#include "tools/command_line/train_output.h"
#include "tools/command_line/transient.h"
#include "tools/new_pipeline/pipe_text.h"
#include "tools/penstock/commands.h"
#include "tools/penstock/load_pipeline.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

namespace penstock {

namespace {

namespace fs = std::filesystem;

struct NewOptions {
  std::string data, target, kind, out;
};

/// The files of a folder's splits.
struct RawFiles {
  std::string train;                        // by which the form is told
  std::string place;                        // the one file, or the folder
  std::map<std::string, std::string> files; // in the folder, by split
};

/// Names that people give to splits.
std::string splitNamed(const std::string &stem) {
  static const std::map<std::string, std::string> names = {{"train", "train"}, {"training", "train"}, {"dev", "dev"},   {"devel", "dev"},
                                                           {"val", "dev"},     {"valid", "dev"},      {"test", "test"}, {"testing", "test"},
                                                           {"eval", "test"},   {"validation", "dev"}};
  const auto found = names.find(stem);
  return found == names.end() ? "" : found->second;
}

Result<RawFiles> findFiles(const std::string &given) {
  std::error_code error;
  RawFiles files;
  if (!fs::is_directory(given, error)) {
    files.train = files.place = given;
    return files;
  }
  std::vector<std::string> names;
  files.place = given;
  for (fs::directory_iterator at(given, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string &name : names) {
    const std::string split = splitNamed(name.substr(0, name.find('.')));
    if (const auto [there, isNew] = files.files.try_emplace(split, name); !split.empty() && !isNew) {
      return invalidInput(
          fmt::format("`{}` holds two files of {}, `{}` and `{}`", printable(given), split, printable(there->second), printable(name)));
    }
  }
  files.files.erase("");
  if (files.files.count("train") == 0) {
    return invalidInput(fmt::format(
        "`{}` holds no file `train.*`; a folder has a file for each split, train.csv, dev.csv and test.csv; {}", printable(given),
        names.empty() ? "it is empty" : "to split one file give the file: `" + printable(given + "/" + names.front()) + "`"));
  }
  files.train = (fs::path(given) / files.files["train"]).string();
  return files;
}

/// A name of the language for a file: `case_study_pdl`.
std::string nameOf(const std::string &path) {
  std::string stem = fs::path(path).filename().string();
  stem = stem.substr(0, stem.find('.'));
  std::string name;
  for (const char c : stem) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 0x80;
    name += plain ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : '_';
  }
  return name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0 ? "data_" + name : name;
}

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

/// "ham 4,827, spam 747": the most frequent values first.
std::string valuesOf(const ColumnProfile &column) {
  std::vector<std::pair<std::string, std::int64_t>> values(column.values.begin(), column.values.end());
  std::sort(values.begin(), values.end(),
            [](const auto &a, const auto &b) { return a.second != b.second ? a.second > b.second : a.first < b.first; });
  constexpr std::size_t most = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, values.size()); ++i) {
    text += (i == 0 ? "" : ", ") + printable(values[i].first, 24) + " " + grouped(values[i].second);
  }
  return values.size() > most ? fmt::format("{}, ... ({} in all)", text, grouped(column.distinct())) : text;
}

std::string contentsOf(const PlannedColumn &column, const RawProfile &profile) {
  using Type = PlannedColumn::Type;
  const ColumnProfile &cells = *column.profile;
  const auto filled = static_cast<double>(std::max<std::int64_t>(1, profile.rows - cells.missing));
  std::string text;
  switch (column.type) {
  case Type::number:
    text = fmt::format("{:g} to {:g}{}", cells.least, cells.greatest,
                       cells.some.empty() ? "" : fmt::format(", median {:g}", cells.some[cells.some.size() / 2]));
    break;
  case Type::classId:
  case Type::set:
  case Type::tags:
    text = valuesOf(cells);
    break;
  case Type::text:
    text =
        column.wide ? fmt::format("{:.0f} characters: ", cells.characters / filled) : fmt::format("{:.0f} words: ", cells.words / filled);
    text += "\"" + printable(cells.example, 40) + "\"";
    break;
  case Type::words: {
    std::vector<std::string_view> words;
    itemsOf(Cell{cells.example, true, true}, words);
    std::string shown;
    for (const std::string_view word : words) {
      shown += (shown.empty() ? "" : " ") + std::string(word);
    }
    text = fmt::format("{:.0f} words: \"{}\"", cells.words / filled, printable(shown, 40));
    break;
  }
  default:
    text = "\"" + printable(cells.example, 30) + "\"";
  }
  return text + (cells.missing > 0 ? fmt::format("; {} empty", grouped(cells.missing)) : "");
}

void tell(const NewOptions &options, const RawForm &form, const RawProfile &profile, const Plan &plan) {
  const char *const kinds[] = {"lines", "CSV", "JSON Lines", "CoNLL", "a source"};
  const std::string delimiter = form.format != RowFormat::csv || form.csv.delimiter == ',' ? ""
                                : form.csv.delimiter == '\t'                               ? " with tabs"
                                                                                           : fmt::format(" with `{}`", form.csv.delimiter);
  std::string more = form.format == RowFormat::csv && !form.csv.header ? ", without a header" : "";
  more += form.csv.decimal != '.' ? ", decimal commas" : "";
  more +=
      form.encoding != Encoding::utf8 ? fmt::format(", read as {}", wordsOf(form.encoding)[static_cast<std::size_t>(form.encoding)]) : "";
  fmt::print("{}: {}{}{}, {} {}, {} columns\n", printable(options.data), kinds[static_cast<std::size_t>(form.format)], delimiter, more,
             grouped(profile.rows), form.format == RowFormat::conll ? "sentences" : "records", profile.columns.size());
  std::size_t width = 0;
  for (const PlannedColumn &column : plan.columns) {
    width = std::max(width,
                     column.type == PlannedColumn::Type::none ? 0 : std::min<std::size_t>(printable(column.profile->name, 28).size(), 28));
  }
  const auto row = [&](const PlannedColumn &column) {
    fmt::print("  {:<{}}  {:<6}  {}\n", printable(column.profile->name, 28), width, describe(column.type), contentsOf(column, profile));
    if (!column.note.empty()) {
      fmt::print("  {:<{}}  {:<6}  ({})\n", "", width, "", printable(column.note));
    }
  };
  fmt::print("predicts{}\n", plan.targetHow.empty() ? "" : " (" + plan.targetHow + ")");
  row(plan.target());
  fmt::print("from\n");
  bool leaves = false;
  for (const PlannedColumn &column : plan.columns) {
    if (!column.target && column.type != PlannedColumn::Type::none && column.type != PlannedColumn::Type::id) {
      row(column);
    }
    leaves = leaves || column.type == PlannedColumn::Type::none || column.type == PlannedColumn::Type::id;
  }
  if (leaves) {
    fmt::print("leaves out\n");
  }
  for (const PlannedColumn &column : plan.columns) {
    const std::string name =
        column.profile->name.empty() ? fmt::format("column {}", column.place + 1) : printable(column.profile->name, 40);
    if (column.type == PlannedColumn::Type::id) {
      fmt::print("  {}: it names the record\n", name);
    } else if (column.type == PlannedColumn::Type::none) {
      fmt::print("  {}: {}\n", name, printable(column.why));
    }
  }
  if (profile.malformed > 0) {
    fmt::print("{} of its rows cannot be read; the first: {}\n", grouped(profile.malformed), printable(profile.firstMalformed));
  }
  for (const std::string &warning : plan.warnings) {
    fmt::print("note: {}\n", printable(warning));
  }
}

Status makeNew(const NewOptions &options, CommandContext &context) {
  PENSTOCK_ASSIGN(const RawFiles files, findFiles(options.data));
  const std::string name = nameOf(options.data.ends_with('/') ? options.data.substr(0, options.data.size() - 1) : options.data);
  const std::string out = options.out.empty() ? name + ".pipe" : options.out;
  std::error_code error;
  if (fs::exists(out, error)) {
    return usageError(fmt::format("`{}` is there already, and is not replaced; `--out FILE` writes another one", printable(out)));
  }
  PlanRequest request{options.target, std::nullopt};
  const auto kinds = wordsOf(TaskKind());
  if (!options.kind.empty()) {
    request.kind = static_cast<TaskKind>(std::find(kinds.begin(), kinds.end(), options.kind) - kinds.begin());
  }
  PENSTOCK_ASSIGN(const RawForm form, formOf(files.train));
  std::optional<Transient> shown;
  shown.emplace("reading " + files.train, false);
  PENSTOCK_ASSIGN(const RawProfile profile, profileOf(files.train, form));
  shown.reset();
  PENSTOCK_ASSIGN(const Plan plan, planOf(form, profile, request));
  tell(options, form, profile, plan);

  DataPlace place;
  const fs::path folder = fs::absolute(out, error).parent_path();
  place.path = fs::absolute(files.place, error).lexically_normal().lexically_proximate(folder.lexically_normal()).string();
  place.files = files.files;
  place.command = "penstock new " + shellWord(options.data) + (options.target.empty() ? "" : " --target " + shellWord(options.target)) +
                  (options.kind.empty() ? "" : " --kind " + options.kind);
  const std::string text = pipeText(plan, form, profile, place, name);
  const frontend::Formatted formatted = frontend::format(out, text);
  AtomicFile file(out);
  PENSTOCK_TRY(file.open(0644));
  PENSTOCK_TRY(file.write(formatted.ok ? formatted.text : text));
  PENSTOCK_TRY(file.commit());

  LoadOptions load;
  load.file = out;
  const LoadedPipeline loaded = loadPipeline(load, context);
  if (!loaded.ok) {
    std::fprintf(stderr, "penstock: `%s` is written, and does not check yet; what stands above says where it is to be changed\n",
                 printable(out).c_str());
    return {};
  }
  const std::string run = name + "_run";
  fmt::print("wrote {}: {}\n", printable(out), recordsOf(loaded));
  fmt::print("next:\n  penstock train {} --out {}\n  penstock evaluate {}\n  penstock predict {} --input {} --output answers.{}\n",
             shellWord(out), run, run, run, shellWord(files.train), plan.kind == TaskKind::tag ? "jsonl" : "csv");
  return {};
}

} // namespace

void addNewCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<NewOptions>();
  const auto kinds = wordsOf(TaskKind());
  CLI::App *command = app.add_subcommand("new", "look at raw data and write a .pipe file that learns from it");
  command
      ->add_option("DATA", options->data,
                   "a file of CSV, JSON Lines or CoNLL, whatever its name, or a folder with train, dev and test files")
      ->required();
  command->add_option("--target", options->target, "the column that is predicted; by default the one that looks like it")
      ->type_name("COLUMN");
  command->add_option("--kind", options->kind, "classify, regress, multi_label or tag; by default what the target's values say")
      ->check(CLI::IsMember(std::vector<std::string>(kinds.begin(), kinds.end())))
      ->type_name("KIND");
  command->add_option("--out", options->out, "the file to write; by default the name of the data, in this folder")->type_name("FILE");
  setExamples(*command, {"penstock new orders.csv", "penstock new orders.csv --target label --out labels.pipe"});
  command->callback([options, &context] {
    if (const Status status = makeNew(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
