#include "tools/penstock/command_shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

namespace penstock {
namespace {

/// Each command with the words that lead to it: "", "train", "plugin new".
void eachCommand(const CommandShape &command, const std::string &path,
                 const std::function<void(const CommandShape &, const std::string &)> &visit) {
  visit(command, path);
  for (const CommandShape &inner : command.commands) {
    eachCommand(inner, path.empty() ? inner.name : path + " " + inner.name, visit);
  }
}

std::vector<std::string> namesOf(const CommandShape &command) {
  std::vector<std::string> names;
  for (const OptionShape &option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

std::string replaced(std::string text, const std::string &what, const std::string &by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

/// A word of a shell, in quotes.
std::string quoted(const std::string &text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

/// What bash offers for a value.
std::string bashValue(const OptionShape &option) {
  if (!option.words.empty()) {
    return fmt::format("COMPREPLY=($(compgen -W {} -- \"$word\"))", quoted(fmt::format("{}", fmt::join(option.words, " "))));
  }
  return option.takesFolder() ? "_penstock_files -d" : option.takesFile() ? "_penstock_files -f" : "COMPREPLY=()";
}

std::string zshValue(const OptionShape &option) {
  const std::string action = !option.words.empty()  ? fmt::format("({})", fmt::join(option.words, " "))
                             : option.takesFolder() ? "_files -/"
                             : option.takesFile()   ? "_files"
                                                    : " ";
  return ":" + option.value + ":" + action;
}

/// Help within a specification of `_arguments`.
std::string zshHelp(const std::string &help) {
  return replaced(replaced(replaced(replaced(help, "\\", "\\\\"), "[", "\\["), "]", "\\]"), ":", "\\:");
}

std::string functionOf(const std::string &path) { return path.empty() ? "_penstock" : "_penstock_" + replaced(path, " ", "_"); }

} // namespace

std::string bashCompletion(const CommandShape &program) {
  std::string out = "# Completion of `penstock` for bash, made by `penstock completion bash`.\n"
                    "_penstock_files() {\n"
                    "  compopt -o filenames 2>/dev/null\n"
                    "  local IFS=$'\\n'\n"
                    "  COMPREPLY=($(compgen \"$1\" -- \"$word\"))\n"
                    "}\n\n"
                    "_penstock() {\n"
                    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path='' i\n"
                    "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
                    "    case \"$path ${COMP_WORDS[i]}\" in\n";
  eachCommand(program, "", [&](const CommandShape &, const std::string &path) {
    const std::size_t last = path.rfind(' ');
    if (!path.empty()) {
      out += fmt::format("      {}) path={} ;;\n", quoted(last == std::string::npos ? " " + path : path), quoted(path));
    }
  });
  out += "    esac\n  done\n  COMPREPLY=()\n  case \"$path $before\" in\n";
  eachCommand(program, "", [&](const CommandShape &command, const std::string &path) {
    for (const OptionShape &option : command.options) {
      std::vector<std::string> patterns;
      for (const std::string &name : option.names) {
        patterns.push_back(quoted(path + " " + name));
      }
      if (!option.flag()) {
        out += fmt::format("    {}) {}; return ;;\n", fmt::join(patterns, "|"), bashValue(option));
      }
    }
  });
  out += "  esac\n  case \"$path\" in\n";
  eachCommand(program, "", [&](const CommandShape &command, const std::string &path) {
    std::vector<std::string> commands;
    for (const CommandShape &inner : command.commands) {
      commands.push_back(inner.name);
    }
    out += fmt::format("    {})\n      if [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W {} -- \"$word\"))\n", quoted(path),
                       quoted(fmt::format("{}", fmt::join(namesOf(command), " "))));
    if (!commands.empty()) {
      out += fmt::format("      else\n        COMPREPLY=($(compgen -W {} -- \"$word\"))\n",
                         quoted(fmt::format("{}", fmt::join(commands, " "))));
    } else if (!command.arguments.empty()) {
      out += "      else\n        " + bashValue(command.arguments.front()) + "\n";
    }
    out += "      fi ;;\n";
  });
  return out + "  esac\n}\ncomplete -F _penstock penstock\n";
}

std::string zshCompletion(const CommandShape &program) {
  std::string out = "#compdef penstock\n# Completion of `penstock` for zsh, made by `penstock completion zsh`.\n";
  eachCommand(program, "", [&](const CommandShape &command, const std::string &path) {
    std::vector<std::string> specs;
    for (const OptionShape &option : command.options) {
      for (const std::string &name : option.names) {
        specs.push_back(quoted("*" + name + "[" + zshHelp(option.help) + "]" + (option.flag() ? "" : zshValue(option))));
      }
    }
    if (command.commands.empty()) {
      for (std::size_t i = 0; i < command.arguments.size(); ++i) {
        const OptionShape &argument = command.arguments[i];
        specs.push_back(quoted((argument.several ? std::string("*") : std::to_string(i + 1)) + zshValue(argument)));
      }
      out += fmt::format("\n{}() {{\n  _arguments -s \\\n    {}\n}}\n", functionOf(path), fmt::join(specs, " \\\n    "));
      return;
    }
    specs.push_back("'1: :->command'");
    specs.push_back("'*:: :->rest'");
    out += fmt::format(
        "\n{}() {{\n  local context state state_descr line\n  typeset -A opt_args\n  _arguments -C -s \\\n    {}\n  case $state in\n"
        "    command)\n      local -a commands=(\n",
        functionOf(path), fmt::join(specs, " \\\n    "));
    for (const CommandShape &inner : command.commands) {
      out += "        " + quoted(inner.name + ":" + replaced(inner.help, ":", "\\:")) + "\n";
    }
    out += "      )\n      _describe command commands ;;\n    rest)\n      case $line[1] in\n";
    for (const CommandShape &inner : command.commands) {
      out += fmt::format("        {}) {} ;;\n", inner.name, functionOf(path.empty() ? inner.name : path + " " + inner.name));
    }
    out += "      esac ;;\n  esac\n}\n";
  });
  return out + "\nif [ \"$funcstack[1]\" = _penstock ]; then\n  _penstock \"$@\"\nelse\n  compdef _penstock penstock\nfi\n";
}

std::string fishCompletion(const CommandShape &program) {
  std::string out = "# Completion of `penstock` for fish, made by `penstock completion fish`.\ncomplete -c penstock -f\n";
  const auto fishQuoted = [](const std::string &text) { return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'"; };
  eachCommand(program, "", [&](const CommandShape &command, const std::string &path) {
    // Where the words so far lead to this command and to none within it.
    std::string condition;
    std::string_view rest = path;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      condition += fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ", rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    std::vector<std::string> inner;
    for (const CommandShape &one : command.commands) {
      inner.push_back(one.name);
    }
    const std::string open = condition;
    if (!inner.empty()) {
      condition += fmt::format("{}not __fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ", fmt::join(inner, " "));
    }
    for (const CommandShape &one : command.commands) {
      out += fmt::format("complete -c penstock -n {} -a {} -d {}\n", fishQuoted(condition), one.name, fishQuoted(one.help));
    }
    for (const OptionShape &option : command.options) {
      out += "complete -c penstock -n " + fishQuoted(condition);
      for (const std::string &name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (!option.flag()) {
        out += !option.words.empty()                        ? " -x -a " + fishQuoted(fmt::format("{}", fmt::join(option.words, " ")))
               : option.takesFile() || option.takesFolder() ? " -r -F"
                                                            : " -x";
      }
      out += " -d " + fishQuoted(option.help) + "\n";
    }
    for (const OptionShape &argument : command.arguments) {
      if (!argument.words.empty()) {
        out += fmt::format("complete -c penstock -n {} -a {}\n", fishQuoted(condition),
                           fishQuoted(fmt::format("{}", fmt::join(argument.words, " "))));
      } else if (argument.takesFile() || argument.takesFolder()) {
        out += fmt::format("complete -c penstock -n {} -F\n", fishQuoted(condition));
      }
    }
  });
  return out;
}

} // namespace penstock
