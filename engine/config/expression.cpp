// Integer expressions: "$filters * 2 ^ $blocks". Nothing wraps, nothing is rounded.
#include <cctype>
#include <limits>

#include "base/error.h"
#include "engine/config/spec.h"

namespace gannet::config {
namespace {

constexpr std::size_t longest = 1000;  // characters
constexpr int deepest = 64;            // parentheses, signs and powers

//   sum     = product (('+' | '-') product)*
//   product = factor (('*' | '/') factor)*
//   factor  = '-' factor | power
//   power   = atom ('^' factor)?          so that 2^3^2 = 2^(3^2)
//   atom    = integer | $name | '(' sum ')'
class Parser {
public:
    Parser(const std::string& text, const Variables& variables, const std::string& where)
        : text_(text), variables_(variables), where_(where) {}

    int64_t parse() {
        if (text_.size() > longest) fail("is too long", "write at most " + std::to_string(longest) + " characters");
        const int64_t value = sum();
        peek();
        if (at_ < text_.size()) unexpected();
        return value;
    }

private:
    [[noreturn]] void fail(const std::string& what, const std::string& to_do) const {
        throw Error("the expression \"" + printable(text_) + "\" " + what, where_, to_do);
    }
    [[noreturn]] void unexpected() const {
        const std::string usual = "it may hold integers, $variables, + - * / ^ and ( )";
        if (at_ >= text_.size()) fail("ends too early", usual);
        fail("has an unexpected '" + printable(text_.substr(at_, 1)) + "' at character " + std::to_string(at_ + 1), usual);
    }
    void check(bool overflowed) const {
        if (overflowed) fail("overflows", "use smaller numbers");
    }

    char peek() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(char c) {
        if (peek() != c || at_ >= text_.size()) return false;
        ++at_;
        return true;
    }

    int64_t sum() {
        int64_t value = product();
        for (;;) {
            if (take('+')) check(__builtin_add_overflow(value, product(), &value));
            else if (take('-')) check(__builtin_sub_overflow(value, product(), &value));
            else return value;
        }
    }

    int64_t product() {
        int64_t value = factor();
        for (;;) {
            if (take('*')) {
                check(__builtin_mul_overflow(value, factor(), &value));
            } else if (take('/')) {
                const int64_t divisor = factor();
                if (divisor == 0) fail("divides by zero", "change the divisor");
                if (divisor == -1) {  // the remainder of the smallest integer traps
                    check(__builtin_sub_overflow(int64_t(0), value, &value));
                    continue;
                }
                if (value % divisor != 0)
                    fail("is not an integer: " + std::to_string(value) + " / " + std::to_string(divisor),
                         "use numbers that divide without a remainder");
                value /= divisor;
            } else {
                return value;
            }
        }
    }

    int64_t factor() {
        if (++depth_ > deepest) fail("is nested too deeply", "simplify it");
        int64_t value = 0;
        if (take('-')) {
            check(__builtin_sub_overflow(int64_t(0), factor(), &value));
        } else {
            value = atom();
            if (take('^')) value = power(value, factor());
        }
        --depth_;
        return value;
    }

    int64_t power(int64_t base, int64_t exponent) const {
        if (exponent < 0) fail("has the negative exponent " + std::to_string(exponent), "divide instead");
        if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
        if (base == -1) return exponent % 2 ? -1 : 1;
        int64_t value = 1;
        for (int64_t i = 0; i < exponent; ++i)  // at most 63 rounds, then it overflows
            check(__builtin_mul_overflow(value, base, &value));
        return value;
    }

    int64_t atom() {
        const char c = peek();
        if (take('(')) {
            const int64_t value = sum();
            if (!take(')')) unexpected();
            return value;
        }
        if (std::isdigit(static_cast<unsigned char>(c))) {
            int64_t value = 0;
            for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_)
                check(__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text_[at_] - '0', &value));
            return value;
        }
        if (take('$')) return variable();
        unexpected();
    }

    int64_t variable() {
        std::string name;
        for (; at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_'); ++at_)
            name += text_[at_];
        if (name.empty()) unexpected();
        if (const std::size_t at = variables_.index_of(name); at < variables_.size())
            return std::get<int64_t>(variables_[at].second.data);
        std::vector<std::string> names;
        for (const auto& [known, value] : variables_) names.push_back(known);
        throw Error("unknown variable '$" + printable(name) + "'", where_,
                    names.empty() ? "declare it in \"variables\"" : suggest(name, names, "the variables are"));
    }

    const std::string& text_;
    const Variables& variables_;
    const std::string& where_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace

int64_t evaluate(const std::string& expression, const Variables& variables, const std::string& where) {
    return Parser(expression, variables, where).parse();
}

}  // namespace gannet::config
