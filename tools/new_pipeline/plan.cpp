#include "tools/new_pipeline/plan.h"

#include "runtime/base/nearest.h"
#include "runtime/base/printable.h"
#include "runtime/data/columns/column.h"
#include "tools/new_pipeline/giveaway.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

namespace penstock {

namespace {

using Type = PlannedColumn::Type;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// What names a column for people: its header, or its place where that is empty.
std::string shownName(const PlannedColumn &column) {
  return column.profile->name.empty() ? fmt::format("column {} (without a name)", column.place + 1)
                                      : "`" + printable(column.profile->name, 40) + "`";
}

// ---- types

/// Cells that are none of a column of numbers, where there are so few kinds of them that they mean "missing".
bool readsLikeNumbers(const ColumnProfile &column, std::int64_t rows, std::vector<std::string> &missing) {
  const std::int64_t filled = rows - column.missing;
  if (filled == 0 || column.many || column.numbers == 0) {
    return column.many && column.numbers == filled && filled > 0;
  }
  std::int64_t others = 0;
  std::set<std::string> kinds;
  for (const auto &[value, count] : column.values) {
    if (!numberIn(value)) {
      kinds.insert(value);
      others += meansMissing(value) ? 0 : count;
    }
  }
  constexpr std::size_t mostKinds = 6;
  if (kinds.size() > mostKinds || others * 50 > filled) {
    return false;
  }
  missing.assign(kinds.begin(), kinds.end());
  return true;
}

/// A header that says of its numbers that they name something, and measure nothing.
bool readsLikeCode(const std::string &header) {
  std::string word;
  for (std::size_t at = 0; at <= header.size(); ++at) {
    if (at < header.size() && std::isalpha(static_cast<unsigned char>(header[at])) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(header[at])));
      continue;
    }
    for (const char *const code : {"id", "code", "zip", "postcode", "sku"}) {
      if (word == code) {
        return true;
      }
    }
    word.clear();
  }
  return false;
}

/// The form in which all cells of the sample are times; false where they are none.
bool findTimeFormat(const RawProfile &profile, std::size_t place, std::string &format) {
  static constexpr std::array dates = {"", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%Y%m%d"};
  static constexpr std::array hours = {"", " %H:%M", " %H:%M:%S"};
  for (const char *const date : dates) {
    for (const char *const hour : hours) {
      ColumnSpec column;
      column.type = ColumnSpec::Type::time;
      format = std::string(date) + (date[0] == '\0' ? "" : hour);
      column.parameters["format"] = format;
      std::int64_t found = 0;
      const bool all = std::all_of(profile.sample.begin(), profile.sample.end(), [&](const std::vector<std::string> &row) {
        double seconds = 0;
        if (meansMissing(row[place])) {
          return true;
        }
        ++found;
        return columns::time::readCell(column, row[place], seconds) && !numberIn(row[place]);
      });
      if (all && found > 0) {
        return true;
      }
      if (date[0] == '\0') {
        break;
      }
    }
  }
  return false;
}

/// A whole number for each record, each used once, from one to the next; or a name of each record without blanks.
bool readsLikeId(const ColumnProfile &column, std::int64_t rows) {
  const std::int64_t filled = rows - column.missing;
  const bool once = (column.many || column.distinct() == filled) && filled == rows && rows > 2;
  if (column.numbers == filled) {
    return once && column.integers == filled && column.greatest - column.least < static_cast<double>(rows) * 1.01;
  }
  constexpr double mostly = 0.95;
  const bool different = column.many || static_cast<double>(column.distinct()) > mostly * static_cast<double>(filled);
  return filled > 2 && different && column.spaced * 50 < filled && column.wide * 50 < filled &&
         column.characters < 64.0 * static_cast<double>(filled);
}

bool readsLikeText(const ColumnProfile &column, std::int64_t rows) {
  const auto filled = static_cast<double>(rows - column.missing);
  if (filled == 0) {
    return false;
  }
  const double distinct = column.many ? filled : static_cast<double>(column.distinct());
  const double words = column.words / filled, characters = column.characters / filled;
  const bool wide = static_cast<double>(column.wide) > filled / 2;
  return (words >= 2.5 && distinct > std::max(30.0, filled / 20)) || (words >= 1.3 && distinct > filled * 0.3 && distinct > 30) ||
         (wide && characters > 4 && distinct > std::max(30.0, filled / 20)) || words > 8;
}

/// The sign between the labels of a cell, where splitting at it leaves few kinds.
std::string findSeparator(const ColumnProfile &column) {
  for (const std::string separator : {"|", ";", ",", "/"}) {
    std::int64_t with = 0;
    std::set<std::string> labels;
    for (const auto &[value, count] : column.values) {
      with += value.find(separator) != std::string::npos ? count : 0;
      for (std::size_t begin = 0; begin <= value.size();) {
        const std::size_t end = std::min(value.find(separator, begin), value.size());
        labels.insert(value.substr(begin, end - begin));
        begin = end + separator.size();
      }
    }
    if (with > 0 && (labels.size() < column.values.size() || labels.size() <= 200)) {
      return separator;
    }
  }
  return "|";
}

std::string schemeOf(const ColumnProfile &column) {
  bool begins = false, ends = false, inside = false;
  for (const auto &[tag, count] : column.values) {
    begins = begins || tag.starts_with("B-");
    inside = inside || tag.starts_with("I-");
    ends = ends || tag.starts_with("E-") || tag.starts_with("S-");
  }
  return ends ? "iobes" : begins ? "iob2" : inside ? "iob1" : "none";
}

/// I- at the beginning of a sentence or behind another type is only written by IOB1.
std::string schemeOfRows(const RawProfile &profile, std::size_t place, const std::string &guessed) {
  if (guessed != "iob2") {
    return guessed;
  }
  std::int64_t opened = 0, begun = 0;
  std::vector<std::string_view> tags;
  for (const std::vector<std::string> &row : profile.sample) {
    itemsOf(Cell{row[place], true, true}, tags);
    std::string_view before = "O";
    for (const std::string_view tag : tags) {
      const bool goesOn = before.size() > 2 && tag.size() > 2 && before.substr(2) == tag.substr(2);
      opened += tag.starts_with("I-") && !goesOn ? 1 : 0;
      begun += tag.starts_with("B-") && !goesOn ? 1 : 0;
      before = tag;
    }
  }
  return opened > begun ? "iob1" : "iob2";
}

/// What a column is where nothing is said of it.
void guessType(const RawForm &form, const RawProfile &profile, PlannedColumn &column) {
  const ColumnProfile &cells = *column.profile;
  const std::int64_t filled = profile.rows - cells.missing;
  column.wide = cells.wide * 2 > filled && filled > 0;
  if (form.format == RowFormat::conll) {
    column.type = column.place == 0 ? Type::words : Type::none;
    column.why = "not needed: the words are read, and the last column is what is predicted";
    return;
  }
  if (filled == 0) {
    column.why = "all of its cells are empty";
  } else if (cells.lists * 2 > filled) {
    column.type = Type::set;
  } else if (!cells.many && cells.distinct() == 1 && cells.missing == 0) {
    column.why = "the same in every record: " + printable("`" + cells.values.begin()->first + "`", 40);
  } else if (filled * 20 < profile.rows) {
    column.why = fmt::format("{} of {} cells are empty", cells.missing, profile.rows);
  } else if (readsLikeId(cells, profile.rows)) {
    column.type = Type::id;
  } else if (readsLikeNumbers(cells, profile.rows, column.missing)) {
    column.type = Type::number;
    if (cells.integers == cells.numbers && readsLikeCode(cells.name) && cells.distinct() > 2) {
      column.missing.clear();
      const bool once = cells.many || cells.distinct() == filled;
      column.type = once ? Type::id : cells.distinct() * 10 <= filled ? Type::classId : Type::none;
      column.why = column.type == Type::none ? "numbers that name something, with too few records each" : "";
    }
  } else if (findTimeFormat(profile, column.place, column.format)) {
    column.type = Type::time;
  } else if (readsLikeText(cells, profile.rows)) {
    column.type = Type::text;
  } else if (!cells.many && (cells.distinct() <= 50 || cells.distinct() * 10 <= filled)) {
    column.type = Type::classId;
  } else {
    column.why = fmt::format("{}{} values in {} records: too many to learn one by one, and no words", cells.many ? "more than " : "",
                             cells.distinct(), filled);
  }
}

// ---- the target

/// Of those that can be predicted, as the file names them.
std::vector<std::string> candidatesOf(const Plan &plan) {
  std::vector<std::string> names;
  for (const PlannedColumn &column : plan.columns) {
    if (column.type == Type::classId || column.type == Type::number || column.type == Type::set) {
      names.push_back(column.profile->name);
    }
  }
  return names;
}

std::string listed(const std::vector<std::string> &names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, names.size()); ++i) {
    text += (i == 0 ? "`" : ", `") + printable(names[i], 40) + "`";
  }
  return names.size() > most ? text + ", ..." : text;
}

Result<std::size_t> findTarget(const RawForm &form, const PlanRequest &request, Plan &plan) {
  std::vector<std::string> all;
  for (const PlannedColumn &column : plan.columns) {
    all.push_back(column.profile->name);
  }
  if (!request.target.empty()) {
    for (const bool exact : {true, false}) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (exact ? all[i] == request.target : lower(all[i]) == lower(request.target)) {
          return i;
        }
      }
    }
    const std::vector<std::string> near = nearest(request.target, all);
    return invalidInput(fmt::format("there is no column `{}`{}; the file has {}", printable(request.target),
                                    near.empty() ? "" : "; did you mean " + listed(near) + "?", listed(all)));
  }
  if (form.format == RowFormat::conll) {
    plan.targetHow = "the last column";
    return all.size() - 1;
  }
  static constexpr std::array usual = {"label",  "labels", "target",  "class",  "category", "y",     "sentiment",
                                       "intent", "tag",    "outcome", "rating", "score",    "answer"};
  for (const char *const name : usual) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (lower(all[i]) == name && plan.columns[i].type != Type::none && plan.columns[i].type != Type::text) {
        plan.targetHow = "by its name";
        return i;
      }
    }
  }
  std::vector<std::size_t> texts, classes;
  for (std::size_t i = 0; i < plan.columns.size(); ++i) {
    (plan.columns[i].type == Type::text ? texts : classes).push_back(i);
  }
  const auto isClass = [&](std::size_t i) { return plan.columns[i].type == Type::classId || plan.columns[i].type == Type::set; };
  if (texts.size() == 1 && std::count_if(classes.begin(), classes.end(), isClass) == 1) {
    plan.targetHow = "the only class beside the text";
    return *std::find_if(classes.begin(), classes.end(), isClass);
  }
  const std::vector<std::string> candidates = candidatesOf(plan);
  return usageError(candidates.empty() ? "no column can be predicted: none is a class, a number or a list of labels"
                                       : "say which column is to be predicted: `--target NAME`; it can be " + listed(candidates));
}

/// Makes a column the target, as `kind` wants it, or as what it holds says.
Status makeTarget(const RawForm &form, const RawProfile &profile, const PlanRequest &request, PlannedColumn &column, Plan &plan) {
  const ColumnProfile &cells = *column.profile;
  const std::string name = shownName(column);
  const bool few = !cells.many && cells.distinct() <= 2;
  const bool numbers = readsLikeNumbers(cells, profile.rows, column.missing) && cells.lists == 0;
  const bool conll = form.format == RowFormat::conll;
  const TaskKind told = conll                                                ? TaskKind::tag
                        : column.type == Type::set                           ? TaskKind::multiLabel
                        : numbers && !few && !(column.type == Type::classId) ? TaskKind::regress
                                                                             : TaskKind::classify;
  plan.kind = request.kind.value_or(told);
  column.target = true;
  column.why.clear();
  const std::int64_t filled = profile.rows - cells.missing;
  if (filled == 0) {
    return invalidInput(name + " cannot be predicted: all of its cells are empty");
  }
  if ((plan.kind == TaskKind::tag) != conll) {
    return invalidInput(conll ? "a file of words and tags is tagged: leave `--kind` out, or write `--kind tag`"
                              : "`--kind tag` needs words with a tag each: a CoNLL file");
  }
  switch (plan.kind) {
  case TaskKind::classify:
    column.type = Type::classId;
    column.missing.clear();
    if (cells.many || cells.distinct() > std::max<std::int64_t>(2, filled / 2)) {
      return invalidInput(fmt::format("{} cannot be predicted as a class: it has {}{} values in {} records{}", name,
                                      cells.many ? "more than " : "", cells.distinct(), filled,
                                      numbers ? "; `--kind regress` predicts it as a number" : ""));
    }
    if (cells.distinct() < 2) {
      return invalidInput(name + " cannot be predicted: it is the same in every record that has one");
    }
    if (numbers && !few && !request.kind) {
      column.note = "`--kind regress` would predict it as a number";
    }
    break;
  case TaskKind::regress:
    if (!numbers) {
      return invalidInput(name + " cannot be predicted as a number: most of its cells are none");
    }
    column.type = Type::number;
    if (!request.kind && cells.integers == cells.numbers && !cells.many && cells.distinct() <= 20) {
      column.note = fmt::format("{} different whole numbers; `--kind classify` would predict each as a class", cells.distinct());
    }
    break;
  case TaskKind::multiLabel:
    column.type = Type::set;
    column.separator = cells.lists > 0 ? "" : findSeparator(cells);
    break;
  case TaskKind::tag:
    column.type = Type::tags;
    column.scheme = schemeOfRows(profile, column.place, schemeOf(cells));
    break;
  }
  return {};
}

// ---- what is left out

void leaveOut(PlannedColumn &column, std::string why) {
  column.type = Type::none;
  column.why = std::move(why);
}

void leaveOutGiveaways(const RawProfile &profile, Plan &plan) {
  if (plan.kind == TaskKind::tag || plan.kind == TaskKind::multiLabel) {
    return;
  }
  const PlannedColumn &target = plan.target();
  for (PlannedColumn &column : plan.columns) {
    if (column.target || column.type == Type::none || column.type == Type::id || column.type == Type::text || column.type == Type::set) {
      continue;
    }
    const Giveaway found = giveawayOf(profile, column.place, target.place, plan.kind == TaskKind::regress);
    constexpr double all = 0.9, much = 0.6;
    const std::string name = shownName(target);
    if (found.share >= all) {
      leaveOut(column, fmt::format("it gives {} away: alone it tells {:.0f}% of what is not known", name, found.share * 100));
    } else if (!found.flag.empty()) {
      leaveOut(column, fmt::format("it gives {} away: where it is `{}`, {} is always `{}`", name, printable(found.flag, 20), name,
                                   printable(found.flagClass, 40)));
    } else if (found.share >= much) {
      column.note = fmt::format("alone it tells {:.0f}% of what is not known of {}: take it out where it is not known when you predict",
                                found.share * 100, name);
    }
  }
}

/// A name of the language for each, in the order of the file.
void giveNames(Plan &plan) {
  std::set<std::string> taken = {"data", "x",     "answer", "expect", "column", "columns", "search",
                                 "true", "false", "empty",  "train",  "dev",    "test"};
  for (PlannedColumn &column : plan.columns) {
    std::string name;
    const std::string &header = column.profile->name;
    const auto isUpper = [&](std::size_t at) { return at < header.size() && header[at] >= 'A' && header[at] <= 'Z'; };
    const auto isLower = [&](std::size_t at) { return at < header.size() && header[at] >= 'a' && header[at] <= 'z'; };
    for (std::size_t at = 0; at < header.size(); ++at) {
      const char c = header[at];
      const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 0x80;
      if (at > 0 && isUpper(at) && (isLower(at - 1) || (isUpper(at - 1) && isLower(at + 1))) && !name.empty() && name.back() != '_') {
        name += '_'; // PMType, StartDate
      }
      if (plain) {
        name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      } else if (!name.empty() && name.back() != '_') {
        name += '_';
      }
    }
    while (!name.empty() && name.back() == '_') {
      name.pop_back();
    }
    if (name.empty() || header.starts_with('#')) { // without a header
      name = fmt::format("column_{}", column.place + 1);
    } else if (std::isdigit(static_cast<unsigned char>(name[0])) != 0) {
      name = "c_" + name;
    }
    std::string free = name;
    for (int i = 2; !taken.insert(free).second; ++i) {
      free = fmt::format("{}_{}", name, i);
    }
    column.name = free;
  }
}

void describeNumbers(PlannedColumn &column) {
  const ColumnProfile &cells = *column.profile;
  if (cells.missing > 0 && std::find(column.missing.begin(), column.missing.end(), "") == column.missing.end()) {
    column.missing.insert(column.missing.begin(), "");
  }
  if (!cells.some.empty() && cells.least >= 0) {
    const double median = cells.some[cells.some.size() / 2], most = cells.some[cells.some.size() * 99 / 100];
    constexpr double far = 8; // an exponential distribution has 6.6
    column.skewed = most > far * std::max(median, 1e-9) && cells.greatest > 10;
  }
  if (const std::size_t count = cells.some.size(); count > 100 && !column.skewed) {
    // A few cells far from all others would leave the others no room once they are standardized.
    const double low = cells.some[count / 100], high = cells.some[count - 1 - count / 100], room = high - low;
    constexpr double far = 10;
    if (room > 0 && (cells.greatest - high > far * room || low - cells.least > far * room)) {
      column.ends = {low, high};
    }
  }
}

void warn(const RawProfile &profile, Plan &plan) {
  const PlannedColumn &target = plan.target();
  const ColumnProfile &cells = *target.profile;
  if (plan.kind == TaskKind::classify) {
    std::vector<std::string> rare;
    for (const auto &[value, count] : cells.values) {
      if (count < 5) {
        rare.push_back(value);
      }
    }
    std::sort(rare.begin(), rare.end());
    if (!rare.empty()) {
      plan.warnings.push_back(
          fmt::format("{} of {} classes have fewer than five records: {}", rare.size(), cells.distinct(), listed(rare)));
    }
  }
  if (profile.rows < 200) {
    plan.warnings.push_back(fmt::format("{} records are few: what dev and test say varies much", profile.rows));
  }
}

} // namespace

const PlannedColumn &Plan::target() const {
  return *std::find_if(columns.begin(), columns.end(), [](const PlannedColumn &column) { return column.target; });
}

const char *describe(Type type) {
  switch (type) {
  case Type::number:
    return "number";
  case Type::classId:
    return "class";
  case Type::id:
    return "id";
  case Type::time:
    return "time";
  case Type::text:
    return "text";
  case Type::set:
    return "set";
  case Type::words:
    return "words";
  case Type::tags:
    return "tags";
  case Type::none:
    break;
  }
  return "left out";
}

Result<Plan> planOf(const RawForm &form, const RawProfile &profile, const PlanRequest &request) {
  if (profile.rows == 0) {
    return invalidInput("the file has no records" +
                        (profile.firstMalformed.empty() ? "" : "; the first of its mistakes: " + profile.firstMalformed));
  }
  Plan plan;
  for (std::size_t i = 0; i < profile.columns.size(); ++i) {
    PlannedColumn &column = plan.columns.emplace_back();
    column.profile = &profile.columns[i];
    column.place = i;
    guessType(form, profile, column);
  }
  PENSTOCK_ASSIGN(const std::size_t target, findTarget(form, request, plan));
  PENSTOCK_TRY(makeTarget(form, profile, request, plan.columns[target], plan));
  leaveOutGiveaways(profile, plan);
  for (PlannedColumn &column : plan.columns) {
    if (column.type == Type::number) {
      describeNumbers(column);
    }
    if (column.profile->name.empty() && column.type != Type::none) {
      leaveOut(column, column.type == Type::id ? "it numbers the records" : "it has no name in the header");
    } else if (column.type == Type::set && !column.target) {
      leaveOut(column, "lists are no input of a model yet");
    }
  }
  giveNames(plan);
  warn(profile, plan);
  const bool any = std::any_of(plan.columns.begin(), plan.columns.end(), [](const PlannedColumn &column) {
    return !column.target && column.type != Type::none && column.type != Type::id;
  });
  if (!any) {
    return invalidInput("nothing is left to predict " + shownName(plan.target()) + " from: " + [&] {
      std::string all;
      for (const PlannedColumn &column : plan.columns) {
        all += column.target ? "" : (all.empty() ? "" : "; ") + shownName(column) + ": " + (column.why.empty() ? "an id" : column.why);
      }
      return all.empty() ? std::string("it is the only column") : all;
    }());
  }
  return plan;
}

} // namespace penstock
