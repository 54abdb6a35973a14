// Shared by all programs: parsing the command line, reporting errors, the exit status.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
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

    // `names` is "--out" or "-n,--count"; `placeholder` stands for the value in the help. The value is text or a number, an
    // optional of one (empty unless the option is given), or a list of texts (the option may be given several times).
    template <class T>
    void option(const std::string& names, T& value, const std::string& placeholder, const std::string& doc) {
        declare(names, placeholder, doc, std::is_same_v<T, Words>,
                [&value](const Words& words, const std::string& shown) { read(words, shown, value); });
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
    using Words = std::vector<std::string>;
    using Store = std::function<void(const Words& words, const std::string& shown)>;  // shown: the option's name in errors
    void declare(const std::string& names, const std::string& placeholder, const std::string& doc, bool repeats, Store store);
    static void read(const Words& words, const std::string& shown, std::string& value);
    static void read(const Words& words, const std::string& shown, int64_t& value);
    static void read(const Words& words, const std::string& shown, uint64_t& value);
    static void read(const Words& words, const std::string& shown, double& value);
    static void read(const Words& words, const std::string& shown, Words& values);
    template <class T>
    static void read(const Words& words, const std::string& shown, std::optional<T>& value) {
        read(words, shown, value.emplace());
    }

    struct State;
    std::unique_ptr<State> state_;
};

// Runs a program: its `body` returns the exit status. Errors are printed to stderr as `gannet: WHAT (WHERE): WHAT TO DO`
// and give 1, Interrupted gives 130. A full disk or a closed pipe behind stdout is an error too.
int run_program(int argc, char** argv, const std::function<int(int, char**)>& body);

// Prints one line on stderr, whatever names it quotes.
void say(const std::string& line);

}  // namespace gannet
