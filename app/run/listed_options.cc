#include "app/run/listed_options.h"

#include <algorithm>

namespace spillway {

Option add_listed(Command command, ListedOptions* listed, const std::string& name, std::string default_text,
                  std::function<Result<void>(const std::string&)> read, std::vector<std::string> names,
                  const std::string& help) {
  if (listed == nullptr) {
    return command.parsed("--" + name, std::move(default_text), std::move(read), help);
  }
  const size_t index = listed->size();
  listed->push_back({name, {default_text}, read});
  const auto read_all = [listed, index, read = std::move(read),
                         names = std::move(names)](const std::string& text) -> Result<void> {
    std::vector<std::string> values = split_list(text, names);
    // A text with an empty piece is read as a whole, so that the error shows all of it.
    if (values.size() < 2 || text.starts_with(',') || text.ends_with(',') ||
        text.find(",,") != std::string::npos) {
      values = {text};
    }
    for (auto value = values.rbegin(); value != values.rend(); ++value) {  // the first is read last and stays
      if (std::find(value + 1, values.rend(), *value) != values.rend()) {
        return wrong_usage("'{}': the value {} is there twice; name each value once", text, *value);
      }
      if (Result<void> good = read(*value); !good) {
        return good;
      }
    }
    (*listed)[index].values = std::move(values);
    return {};
  };
  return command.parsed("--" + name, std::move(default_text), read_all,
                        help + ";\nseveral, comma-separated, are run in turn");
}

}  // namespace spillway
