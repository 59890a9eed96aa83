#include "tools/penstock/command_shape.h"

#include <fmt/format.h>

namespace penstock {
namespace {

/// Text within a line of troff.
std::string troff(const std::string &text) {
  std::string out;
  for (const char c : text) {
    out += c == '\\' ? std::string("\\e") : c == '-' ? std::string("\\-") : std::string(1, c);
  }
  return out;
}

/// A line of text, which no control character begins.
std::string line(const std::string &text) {
  const std::string escaped = troff(text);
  return (escaped.starts_with('.') || escaped.starts_with('\'') ? "\\&" : "") + escaped + "\n";
}

std::string bold(const std::string &text) { return "\\fB" + troff(text) + "\\fR"; }
std::string slanted(const std::string &text) { return "\\fI" + troff(text) + "\\fR"; }

void describe(std::string &out, const OptionShape &option) {
  std::string head;
  for (const std::string &name : option.names) {
    head += (head.empty() ? "" : ", ") + bold(name);
  }
  head += option.flag() ? "" : (head.empty() ? "" : " ") + slanted(option.value);
  out += ".TP\n" + head + "\n" + line(option.help + (option.required && !option.names.empty() ? " (required)" : ""));
}

void addPages(std::vector<ManualPage> &pages, const CommandShape &command, const std::string &path, const std::string &version) {
  std::string page = path, upper;
  for (char &c : page) {
    c = c == ' ' ? '-' : c;
    upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  std::string out =
      fmt::format(".\\\" Made by `penstock man` from the tables of the command line.\n.TH \"{}\" \"1\" \"\" \"penstock {}\" \"Penstock\"\n",
                  troff(upper), version);
  out += ".SH NAME\n" + troff(page) + " \\- " + line(command.help);
  out += ".SH SYNOPSIS\n" + bold(path);
  for (const OptionShape &option : command.options) {
    out += option.required ? " " + bold(option.names.front()) + (option.flag() ? "" : " " + slanted(option.value)) : "";
  }
  out += " [" + slanted("options") + "]";
  for (const OptionShape &argument : command.arguments) {
    out += argument.required ? " " + slanted(argument.value) : " [" + slanted(argument.value) + "]";
    out += argument.several ? " ..." : "";
  }
  out += command.commands.empty() ? "\n" : " " + slanted("command") + " ...\n";
  if (!command.commands.empty()) {
    out += ".SH COMMANDS\n";
    for (const CommandShape &inner : command.commands) {
      out += ".TP\n" + bold(page + "-" + inner.name) + "(1)\n" + line(inner.help);
    }
  }
  if (!command.arguments.empty()) {
    out += ".SH ARGUMENTS\n";
    for (const OptionShape &argument : command.arguments) {
      describe(out, argument);
    }
  }
  out += ".SH OPTIONS\n";
  for (const OptionShape &option : command.options) {
    describe(out, option);
  }
  if (const std::size_t at = command.footer.find('\n'); at != std::string::npos) {
    out += ".SH EXAMPLES\n.nf\n";
    for (std::size_t from = at + 1; from < command.footer.size();) {
      const std::size_t end = std::min(command.footer.find('\n', from), command.footer.size());
      out += line(command.footer.substr(from, end - from));
      from = end + 1;
    }
    out += ".fi\n";
  }
  out += ".SH EXIT STATUS\n0: good. 1: mistakes in the file or its data. 2: mistakes on the command line. 3: what the file expects does "
         "not hold. "
         "4: the machine, a file or a folder. 130: interrupted.\n";
  out += ".SH SEE ALSO\n" + (path == "penstock" ? bold("penstock-train") : bold("penstock")) + "(1)\n";
  pages.push_back({page + ".1", out});
  for (const CommandShape &inner : command.commands) {
    addPages(pages, inner, path + " " + inner.name, version);
  }
}

} // namespace

std::vector<ManualPage> manualPages(const CommandShape &program, const std::string &version) {
  std::vector<ManualPage> pages;
  addPages(pages, program, program.name, version);
  return pages;
}

} // namespace penstock
