// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "config/checker.hpp"
#include "config/compiler.hpp"
#include "config/config.hpp"
#include "config/sysconfig.hpp"
#include "config/toml_reader.hpp"

namespace guestd::config {
namespace {

constexpr auto kTriggers = static_cast<std::size_t>(Trigger::host_boot) + 1;

std::pair<std::uint32_t, std::uint32_t> in_text(const Problem& problem) {
    return {problem.line, problem.column};
}

}  // namespace

/// The steps from sources to a Config: read, compile, merge what is global, check.
class Loader {
public:
    tl::expected<std::shared_ptr<const Config>, Problems> run(const Sources& sources) {
        const auto read = read_sources(sources, problems_);
        for (const auto& source : read)
            compile(source);
        if (problems_.empty()) {
            merge();
            config_->bundle_ = make_bundle(read);
            Checker checker{*config_};
            problems_ = checker.problems();
            config_->warnings_ = checker.warnings();
        }
        if (!problems_.empty())
            return tl::unexpected{std::move(problems_)};
        return std::shared_ptr<const Config>{std::move(config_)};
    }

private:
    void compile(const Source& source) {
        const auto before = static_cast<std::ptrdiff_t>(problems_.size());
        std::vector<Layer> layers;
        if (source.kind == SourceKind::sysconfig) {
            const auto variables = parse_sysconfig(source.name, *source.text, problems_);
            layers.push_back(
                compile_sysconfig(source.name, variables, global_deadline(), problems_));
        } else if (const auto root = read_toml(source.name, *source.text)) {
            layers = compile_toml(source.name, *root, problems_);
        } else {
            problems_.push_back(root.error());
        }
        std::ranges::move(layers, std::back_inserter(config_->layers_));
        std::ranges::stable_sort(problems_.begin() + before, problems_.end(), {}, in_text);
    }

    Duration global_deadline() const {
        UriPolicy policy;
        for (const auto& layer : config_->layers_)
            if (layer.rank == Rank::global)
                apply(layer, std::nullopt, {.uri = &policy});
        return policy.deadline;
    }

    void merge() {
        Config::Base plain;
        for (const auto& layer : config_->layers_)
            if (layer.rank == Rank::global)
                apply(layer, std::nullopt, {&config_->daemon_, &plain.uri, &plain.guest});
        config_->bases_.assign(kTriggers + 1, plain);
        for (std::size_t i = 0; i < kTriggers; ++i)
            for (const auto& layer : config_->layers_)
                if (auto& base = config_->bases_[i + 1]; layer.rank == Rank::global)
                    apply(layer, static_cast<Trigger>(i), {nullptr, &base.uri, &base.guest});
    }

    std::unique_ptr<Config> config_{new Config};
    Problems problems_;
};

tl::expected<std::shared_ptr<const Config>, Problems> Config::load(const Sources& sources) {
    return Loader{}.run(sources);
}

tl::expected<std::shared_ptr<const Config>, Problems> Config::load_bundle(std::string_view bundle) {
    const auto sources = open_bundle(bundle);
    if (!sources)
        return tl::unexpected{Problems{{"last good copy", 0, 0, sources.error().message()}}};
    return load(*sources);
}

std::shared_ptr<const Config> Config::built_in() {
    return load({}).value();
}

}  // namespace guestd::config
