#include "engine/run/cli.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "base/error.h"
#include "base/reason.h"
#include "base/text.h"
#include "base/version.h"
#include "engine/config/spec.h"
#include "engine/run/interrupt.h"

namespace gannet {
namespace {

using Words = std::vector<std::string>;

struct Declared {
    std::string names;  // as declared
    std::string shown;  // in errors: the long name
    CLI::Option* option = nullptr;
    bool required = false, repeats = false;
    std::function<void(const Words& words, const std::string& shown)> store;
};

template <class T>
void parse_number(const std::string& text, T& value, const std::string& shown, const char* kind) {
    const char* end = text.data() + text.size();
    T number{};
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc::result_out_of_range) {
        std::ostringstream largest;
        largest << std::numeric_limits<T>::max();
        throw Error(shown + " " + text + " is out of range", "command line",
                    std::string("give ") + kind + " up to " + largest.str());
    }
    if (error != std::errc() || stop != end || text.empty())
        throw Error(shown + " \"" + text + "\" cannot be used", "command line", std::string("give ") + kind);
    value = number;
}

// The next opened file would get the number of a closed standard stream, and messages would be written into it.
void hold_standard_streams() {
    for (int f = 0; f <= 2; ++f)
        if (::fcntl(f, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) return;  // writing to it fails, as it should
}

bool is_flag(const std::string& word) { return word.size() > 1 && word[0] == '-' && !(word[1] >= '0' && word[1] <= '9'); }

}  // namespace

struct CommandLine::State {
    CLI::App app;
    std::string program;
    std::vector<Declared> all;
    Words flags = {"--help", "--version"};

    State(const std::string& name, const std::string& description) : app(description, name), program(name) {
        app.set_help_flag("-h,--help", "print this help");
        app.add_flag("--version")->description("print the version");
        // Unexpected arguments are reported before all other errors.
        app.allow_extras();
    }

    Declared& add(const std::string& names, const std::string& placeholder, const std::string& doc, bool with_value) {
        Declared d;
        d.names = names;
        for (const std::string& name : CLI::detail::split(names, ',')) {
            d.shown = CLI::detail::trim_copy(name);
            if (d.shown[0] == '-') flags.push_back(d.shown);
        }
        if (with_value) {
            d.option = app.add_option(
                names, [](const Words&) { return true; }, doc);
            d.option->type_name(placeholder)->type_size(1)->expected(1)->allow_extra_args(false);
        } else {
            d.option = app.add_flag(names, doc);
        }
        d.option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        all.push_back(d);
        return all.back();
    }

    CLI::Option* find(const std::string& names) const {
        return std::find_if(all.begin(), all.end(), [&](const Declared& d) { return d.names == names; })->option;
    }

    std::string usage_hint() const { return "`" + program + " --help` shows the usage"; }

    void check_flags() const {
        for (const std::string& word : app.remaining()) {
            if (!is_flag(word) || word == "--") continue;
            const std::string name = word.substr(0, word.find('='));
            const std::string near = nearest(name, flags);
            throw Error("unknown option " + name, "command line",
                        (near.empty() ? "" : "did you mean " + near + "? ") + "`" + program + " --help` lists all");
        }
    }

    void check_values() const {
        for (const Declared& d : all) {
            const Words words = d.option->results();
            const bool is_switch = d.option->get_expected_max() == 0;
            for (const std::string& word : words) {
                if (is_switch && word != "true") throw Error(d.shown + " takes no value", "command line", "omit the value");
                // `--out --seed 3`; a folder of that name is ./--seed
                if (word.empty() || (!d.option->get_positional() && word.substr(0, 2) == "--"))
                    throw Error(d.shown + " needs a value", "command line", usage_hint());
            }
            if (words.size() > 1 && !d.repeats) throw Error(d.shown + " is given twice", "command line", "give it once");
        }
        for (const std::string& word : app.remaining())
            if (word != "--") throw Error("unexpected argument \"" + word + "\"", "command line", usage_hint());
        for (const Declared& d : all)
            if (d.required && d.option->count() == 0) throw Error(d.shown + " is missing", "command line", usage_hint());
    }

    void store_all() const {
        for (const Declared& d : all)
            if (d.option->count() > 0) d.store(d.option->results(), d.shown);
    }
};

CommandLine::CommandLine(const std::string& program, const std::string& description)
    : state_(std::make_unique<State>(program, description)) {}
CommandLine::~CommandLine() = default;

void CommandLine::positional(const std::string& name, std::string& value, const std::string& doc, bool required) {
    Declared& d = state_->add(name, "", doc, true);
    d.required = required;
    d.store = [&value](const Words& words, const std::string&) { value = words[0]; };
}

void CommandLine::flag(const std::string& names, bool& value, const std::string& doc) {
    Declared& d = state_->add(names, "", doc, false);
    d.repeats = true;
    d.store = [&value](const Words&, const std::string&) { value = true; };
}

void CommandLine::declare(const std::string& names, const std::string& placeholder, const std::string& doc, bool repeats,
                          Store store) {
    Declared& d = state_->add(names, placeholder, doc, true);
    d.repeats = repeats;
    d.store = std::move(store);
}

void CommandLine::read(const Words& words, const std::string&, std::string& value) { value = words[0]; }
void CommandLine::read(const Words& words, const std::string&, Words& values) { values = words; }
void CommandLine::read(const Words& words, const std::string& shown, int64_t& value) {
    parse_number(words[0], value, shown, "an integer");
}
void CommandLine::read(const Words& words, const std::string& shown, uint64_t& value) {
    parse_number(words[0], value, shown, "an integer of 0 or more");
}
void CommandLine::read(const Words& words, const std::string& shown, double& value) {
    parse_number(words[0], value, shown, "a number");
}

void CommandLine::choice(const std::string& names, std::string& value, const std::vector<std::string>& choices,
                         const std::string& doc) {
    std::string placeholder, list;
    for (const std::string& c : choices) {
        placeholder += (placeholder.empty() ? "" : "|") + c;
        list += (list.empty() ? "" : ", ") + c;
    }
    declare(names, placeholder, doc, false, [&value, choices, list](const Words& words, const std::string& shown) {
        if (std::find(choices.begin(), choices.end(), words[0]) == choices.end())
            throw Error(shown + " \"" + words[0] + "\" is not known", "command line", "give one of " + list);
        value = words[0];
    });
}

void CommandLine::excludes(const std::string& name, const std::vector<std::string>& others) {
    for (const std::string& other : others) state_->find(name)->excludes(state_->find(other));
}

void CommandLine::needs(const std::string& name, const std::string& other) { state_->find(name)->needs(state_->find(other)); }

bool CommandLine::given(const std::string& names) const { return state_->find(names)->count() > 0; }

bool CommandLine::parse(int argc, char** argv) {
    State& s = *state_;
    try {
        s.app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        for (const Declared& d : s.all) d.option->required(d.required);  // only now: the checks are this file's own
        s.app.get_formatter()->label("REQUIRED", "");
        std::cout << s.app.help();
        return false;
    } catch (const CLI::ParseError& error) {
        s.check_flags();
        const std::string text = error.what(), kind = error.get_name();
        if (kind == "ArgumentMismatch")
            throw Error(text.substr(0, text.find(':')) + " needs a value", "command line", s.usage_hint());
        throw Error(text, "command line",
                    kind == "ExcludesError"   ? "omit one of them"
                    : kind == "RequiresError" ? "give both, or neither"
                                              : s.usage_hint());
    }
    if (s.app.count("--version") > 0) {
        std::cout << s.program << " (Gannet) " << version() << "\n";
        return false;
    }
    s.check_flags();
    s.check_values();
    s.store_all();
    return true;
}

namespace {

// Threads also get stacks of this size, and a stack overflow kills the program.
void check_stack() {
    constexpr rlim_t least = 1 << 20;
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < least)
        throw Error("the stack limit is " + std::to_string(limit.rlim_cur >> 10) + " kB", "ulimit -s",
                    "set it to " + std::to_string(least >> 10) + " or more");
}

}  // namespace

int run_program(int argc, char** argv, const std::function<int(int, char**)>& body) {
    hold_standard_streams();
    ignore_write_signals();
    int status = 1;
    std::string message;
    std::unique_ptr<char[]> reserve;  // reserves memory for the message that memory ran out
    const auto ran_out = [&] {
        reserve.reset();
        message = Error("out of memory", "this machine",
                        "give the program more memory; in a training, use a smaller batch, network or data set")
                      .what();
    };
    try {
        reserve = std::make_unique_for_overwrite<char[]>(1 << 16);
        check_stack();
        status = body(argc, argv);
        errno = 0;
        std::cout.flush();
        if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout)) {
            status = 1;
            // A closed pipe (`| head`) needs no message.
            if (errno != EPIPE) {
                const std::string reason = errno ? ": " + std::generic_category().message(errno) : std::string();
                message = Error("cannot write" + reason, "standard output", "check its destination").what();
            }
        }
    } catch (const Interrupted&) {
        status = 130;
    } catch (const std::bad_alloc&) {
        ran_out();
    } catch (const std::length_error&) {  // more than any machine has
        ran_out();
    } catch (const std::filesystem::filesystem_error& error) {
        message = Error("cannot reach a file or folder: " + reason_of(error.code().value()),
                        error.path1().empty() ? "the working folder" : error.path1().string(), "check the path and the disk")
                      .what();
    } catch (const std::exception& error) {
        message = error.what();
    }
    if (!message.empty()) say("gannet: " + message);
    return status;
}

void say(const std::string& line) { std::fprintf(stderr, "%s\n", printable(line, std::string::npos).c_str()); }

}  // namespace gannet
