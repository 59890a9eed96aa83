// The commands of `penstock` as data, from the tables that parse the command line: for completions and manual pages.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace penstock {

struct OptionShape {
  std::vector<std::string> names; // "--out", "-o"; of an argument without a name: none
  std::string value;              // "DIR"; "" of a flag
  std::vector<std::string> words; // all that it takes, where these are words
  std::string help;
  bool required = false, several = false;

  bool flag() const { return value.empty(); }
  /// What a shell can offer: files, or folders alone.
  bool takesFile() const;
  bool takesFolder() const;
};

struct CommandShape {
  std::string name, help;
  std::string footer; // "examples:" and a line each
  std::vector<OptionShape> arguments, options;
  std::vector<CommandShape> commands;
};

CommandShape shapeOf(const CLI::App &app);

/// The script that completes the commands in bash, zsh or fish.
std::string bashCompletion(const CommandShape &program);
std::string zshCompletion(const CommandShape &program);
std::string fishCompletion(const CommandShape &program);

struct ManualPage {
  std::string name; // "penstock-train.1"
  std::string text; // troff
};
/// A page for the program and one for each command, those within commands among them.
std::vector<ManualPage> manualPages(const CommandShape &program, const std::string &version);

} // namespace penstock
