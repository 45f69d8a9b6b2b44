// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "config/sysconfig.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

constexpr std::string_view kForbidden = "$`;&|<>()";

bool is_name(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || is_digit(c);
}

/// What a backslash protects between double quotes; before anything else it is itself.
bool is_escapable(char c) {
    return c == '"' || c == '\\' || c == '$' || c == '`';
}

class Parser {
public:
    Parser(const std::string& file, std::string_view text, Problems& problems)
        : file_(file), text_(text), problems_(problems) {}

    std::vector<Variable> run() {
        std::vector<Variable> variables;
        while (!at_end()) {
            skip_blanks();
            if (at_end())
                break;
            if (peek() == '\n')
                next();
            else if (Variable variable; peek() != '#' && assignment(variable))
                variables.push_back(std::move(variable));
            else
                skip_line();
        }
        return variables;
    }

private:
    bool at_end() const { return at_ == text_.size(); }
    char peek() const { return text_[at_]; }
    char next() {
        const char c = text_[at_++];
        place_.column = c == '\n' ? 1 : place_.column + 1;
        place_.line += c == '\n' ? 1 : 0;
        return c;
    }
    void skip_blanks() {
        while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\r'))
            next();
    }
    void skip_line() {
        while (!at_end() && peek() != '\n')
            next();
    }

    /// Always false, so that callers can return it.
    bool refuse(Place place, std::string message) {
        problems_.push_back({file_, place.line, place.column, std::move(message)});
        return false;
    }

    std::string word() {
        std::string word;
        while (!at_end() && is_name(peek()))
            word += next();
        return word;
    }

    bool assignment(Variable& variable) {
        variable.place = place_;
        variable.name = word();
        if (variable.name == "export" && !at_end() && (peek() == ' ' || peek() == '\t')) {
            skip_blanks();
            variable.place = place_;
            variable.name = word();
        }
        if (variable.name.empty() || is_digit(variable.name.front()))
            return refuse(variable.place, "expected NAME=value");
        if (at_end() || peek() != '=')
            return refuse(place_, fmt::format("expected '=' directly after {}", variable.name));
        next();
        variable.value_place = place_;
        if (!value(variable.value))
            return false;
        skip_blanks();
        if (!at_end() && peek() != '\n' && peek() != '#')
            return refuse(place_, "a value with blanks needs quotes");
        skip_line();
        return true;
    }

    /// Unquoted, '...' and "..." pieces, one after the other.
    bool value(std::string& out) {
        while (!at_end() && peek() != '\n' && peek() != ' ' && peek() != '\t' && peek() != '\r') {
            const bool fine = peek() == '\''  ? single_quoted(out)
                              : peek() == '"' ? double_quoted(out)
                                              : plain(out);
            if (!fine)
                return false;
        }
        return true;
    }

    bool plain(std::string& out) {
        if (kForbidden.find(peek()) != std::string_view::npos)
            return forbidden();
        if (peek() == '\\') {
            next();
            if (at_end() || peek() == '\n')
                return refuse(place_, "nothing follows the backslash");
        }
        out += next();
        return true;
    }

    bool single_quoted(std::string& out) {
        const auto opened = place_;
        next();
        while (!at_end()) {
            if (const char c = next(); c != '\'')
                out += c;
            else
                return true;
        }
        return refuse(opened, "this quote is never closed");
    }

    bool double_quoted(std::string& out) {
        const auto opened = place_;
        next();
        while (!at_end()) {
            if (peek() == '$' || peek() == '`')
                return forbidden();
            const char c = next();
            if (c == '"')
                return true;
            if (c == '\\' && !at_end() && is_escapable(peek()))
                out += next();
            else
                out += c;
        }
        return refuse(opened, "this quote is never closed");
    }

    bool forbidden() {
        return refuse(place_, fmt::format("'{}' means something to a shell, but no shell runs this "
                                          "file; put plain text in single quotes",
                                          peek()));
    }

    const std::string& file_;
    std::string_view text_;
    Problems& problems_;
    std::size_t at_ = 0;
    Place place_{1, 1};
};

}  // namespace

std::vector<Variable> parse_sysconfig(const std::string& file, const std::string& text,
                                      Problems& problems) {
    return Parser{file, text, problems}.run();
}

}  // namespace guestd::config
