#include "compiler/frontend/check/source_files.h"

#include <algorithm>
#include <filesystem>
#include <glob.h>

namespace penstock::frontend {

namespace {

std::vector<std::string> filesThatFit(const std::string &pattern) {
  std::vector<std::string> files;
  glob_t found = {};
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      std::error_code error;
      if (!std::filesystem::is_directory(found.gl_pathv[i], error)) {
        files.emplace_back(found.gl_pathv[i]);
      }
    }
  }
  ::globfree(&found);
  std::sort(files.begin(), files.end());
  return files;
}

/// The folder in which a pattern begins; "" where it is not there.
std::string folderBefore(const std::string &pattern) {
  const std::string plain = pattern.substr(0, pattern.find_first_of("*?["));
  const std::string folder = plain.substr(0, plain.rfind('/') + 1);
  std::error_code error;
  return std::filesystem::is_directory(folder, error) ? folder : "";
}

std::vector<std::string> namesIn(const std::string &folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The files that fit the pattern.
std::optional<Attribute> filesLike(Evaluator &evaluator, Reporter &reporter, const Expression &call, const ParameterSpec &spec,
                                   Scope &scope, Place &place, Origin *origin) {
  const std::vector<Argument> &arguments = call.arguments;
  if (arguments.size() != 1 || !arguments[0].name.empty()) {
    reporter.report("wrong-type", call.span,
                    {{"name", spec.name}, {"expected", describeParameterType(spec)}, {"found", "`glob` without one pattern"}});
    return std::nullopt;
  }
  ParameterSpec one = spec;
  one.several = false;
  const auto given = evaluator.parameter(arguments[0].value, one, scope, place, origin);
  if (!given) {
    return std::nullopt;
  }
  const std::string &pattern = std::get<std::string>(*given);
  std::vector<std::string> files = filesThatFit(pattern);
  if (files.empty()) {
    const std::string folder = folderBefore(pattern);
    const std::vector<std::string> names = namesIn(folder);
    constexpr std::size_t shown = 8;
    std::string list;
    for (std::size_t i = 0; i < std::min(names.size(), shown); ++i) {
      list += (i == 0 ? "`" : ", `") + names[i] + "`";
    }
    list += names.size() > shown ? " and " + std::to_string(names.size() - shown) + " more" : "";
    reporter.report("no-files", arguments[0].value.span,
                    {{"pattern", pattern},
                     {"found", folder.empty()  ? "its folder is not there"
                               : names.empty() ? "`" + folder + "` has no files"
                                               : "`" + folder + "` has " + list}});
    return std::nullopt;
  }
  return files;
}

} // namespace

bool isCallOf(const Expression &expression, std::string_view name) {
  return expression.kind == Expression::Kind::call && expression.children[0].kind == Expression::Kind::name &&
         expression.children[0].text == name;
}

bool namesFiles(const Expression &expression) {
  return isCallOf(expression, "glob") ||
         (expression.kind == Expression::Kind::list && std::any_of(expression.children.begin(), expression.children.end(), namesFiles));
}

std::optional<Attribute> filesOf(Evaluator &evaluator, Reporter &reporter, const Expression &expression, const ParameterSpec &spec,
                                 Scope &scope, Place &place, Origin *origin) {
  if (isCallOf(expression, "glob")) {
    return filesLike(evaluator, reporter, expression, spec, scope, place, origin);
  }
  std::vector<std::string> all;
  for (const Expression &one : expression.children) {
    const auto some = evaluator.parameter(one, spec, scope, place, origin);
    if (!some) {
      return std::nullopt;
    }
    const auto *const path = std::get_if<std::string>(&*some);
    const auto *const list = std::get_if<std::vector<std::string>>(&*some);
    path != nullptr ? all.push_back(*path) : void(all.insert(all.end(), list->begin(), list->end()));
  }
  return all;
}

} // namespace penstock::frontend
