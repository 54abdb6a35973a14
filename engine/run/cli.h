// Shared by all programs: parsing the command line, reporting errors, the exit status.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gannet {

// Options are declared with the variable that receives the value; a variable whose option is not given keeps its own.
//
//     CommandLine line("train", "Trains a GAN.");
//     line.positional("MODEL.json", model, "the model file");
//     line.option("--steps", steps, "N", "how many steps");
//     if (!line.parse(argc, argv)) return 0;  // --help or --version was printed
class CommandLine {
public:
    CommandLine(const std::string& program, const std::string& description);
    ~CommandLine();

    void positional(const std::string& name, std::string& value, const std::string& doc, bool required = true);
    void flag(const std::string& names, bool& value, const std::string& doc);

    // `names` is "--out" or "-n,--count"; `placeholder` stands for the value in the help.
    void option(const std::string& names, std::string& value, const std::string& placeholder, const std::string& doc);
    void option(const std::string& names, int64_t& value, const std::string& placeholder, const std::string& doc);
    void option(const std::string& names, uint64_t& value, const std::string& placeholder, const std::string& doc);
    void option(const std::string& names, double& value, const std::string& placeholder, const std::string& doc);
    // May be given several times.
    void option(const std::string& names, std::vector<std::string>& values, const std::string& placeholder,
                const std::string& doc);
    template <class T>
    void option(const std::string& names, std::optional<T>& value, const std::string& placeholder, const std::string& doc) {
        auto holder = std::make_shared<T>();
        option(names, *holder, placeholder, doc);
        after_.push_back([this, names, holder, &value] {
            if (given(names)) value = *holder;
        });
    }
    // One of `choices`.
    void choice(const std::string& names, std::string& value, const std::vector<std::string>& choices, const std::string& doc);

    // Rules of names as declared: `name` cannot be given with any of `others`, or not without `other`.
    void excludes(const std::string& name, const std::vector<std::string>& others);
    void needs(const std::string& name, const std::string& other);

    // False after --help or --version. Throws Error for unknown flags (with the nearest one), missing and invalid values.
    bool parse(int argc, char** argv);
    bool given(const std::string& names) const;  // `names` as declared

private:
    struct State;
    std::unique_ptr<State> state_;
    std::vector<std::function<void()>> after_;
};

// Runs a program: its `body` returns the exit status. Errors are printed to stderr as `gannet: WHAT (WHERE): WHAT TO DO`
// and give 1, Interrupted gives 130. A full disk or a closed pipe behind stdout is an error too.
int run_program(int argc, char** argv, const std::function<int(int, char**)>& body);

// Prints one line on stderr, whatever names it quotes.
void say(const std::string& line);

}  // namespace gannet
