// Translates the page's texts. In the WebUI the translations are window.localization, and the WebUI itself replaces whole texts. In the
// standalone app they are those of window.darkroomLanguages that fit the browser's language. A key with {} is a sentence with values. In
// its translation, {} is a value as it is, and {text} a value that is translated too. A number, as in {2}, selects the value.
(function () {
    const OURS = "#darkroom_tabs, #darkroom_corner, #darkroom_notice, #darkroom_retry";
    const UNTRANSLATED = "[translate=no], textarea, script, style, code, pre, .darkroom-names li, .darkroom-names .token";
    const ATTRIBUTES = ["title", "placeholder", "aria-label"];
    const NUMBER = "([-\\d.,:×+%e]+?)", ANYTHING = "(.*?)";
    const CACHED = 2000; // texts whose translations are cached
    const SEPARATORS = [["; ", "；"], [": ", "："], [" · ", " · "]];

    // ---- which language

    function bestLanguage(languages) {
        const names = Object.keys(languages);
        for (const wanted of navigator.languages.map((name) => name.replace("-", "_").toLowerCase())) {
            const base = wanted.split("_")[0];
            const found = names.find((name) => name.toLowerCase() === wanted) || names.find((name) => name.split("_")[0] === base);
            if (found) document.documentElement.lang = found.replace("_", "-");
            if (found || base === "en") return languages[found] || {};
        }
        return {};
    }

    const known = window.darkroomLanguages ? bestLanguage(window.darkroomLanguages) : window.localization || {};
    if (Object.keys(known).length === 0) return;

    // ---- the translation of a text

    const letters = (key) => key.replaceAll("{}", "").replace(/[^A-Za-z]/g, "").length;
    const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

    // Short keys would match too many texts if their values could be more than numbers.
    const hasOnlyNumbers = (key) => key.startsWith("{}") && (letters(key) < 5 || /^\{\} [a-z ]{1,11}$/.test(key));

    function pattern(key) {
        const value = hasOnlyNumbers(key) ? NUMBER : ANYTHING;
        return {fits: new RegExp("^" + key.split("{}").map(escaped).join(value) + "$", "s"), said: known[key]};
    }

    const patterns = Object.keys(known).filter((key) => key.includes("{}")).sort((a, b) => letters(b) - letters(a)).map(pattern);
    const cache = new Map();

    function filled(said, values) {
        let next = 0;
        return said.replace(/\{(text)? ?(\d*)\}/g, (_, inner, number) => {
            const value = values[number ? number - 1 : next++] || "";
            return inner ? translated(value) || value.trim() : value;
        });
    }

    function byPatterns(text) {
        return patterns.map(({fits, said}) => [said, fits.exec(text)]).filter(([_, found]) => found)
            .map(([said, found]) => filled(said, found.slice(1)));
    }

    // Texts that consist of several: sentences, lists, a name with an explanation.
    function inParts(text) {
        const sentences = text.replace(/([.!?]) (?=[A-Z])/g, "$1\n").split("\n");
        return [[sentences, ""], ...SEPARATORS.map(([apart, joint]) => [text.split(apart), joint])]
            .filter(([parts]) => parts.length > 1)
            .map(([parts, joint]) => [parts, parts.map(translated), joint])
            .filter(([_, said]) => said.some(Boolean))
            .map(([parts, said, joint]) => said.map((one, n) => one || parts[n]).join(joint));
    }

    // A sentence may match several keys; the best leaves the fewest letters untranslated.
    function lookUp(text) {
        if (Object.hasOwn(known, text)) return known[text];
        const found = [...byPatterns(text), ...inParts(text)];
        if (found.length) return found.reduce((best, one) => (letters(one) < letters(best) ? one : best));
        const said = text.endsWith(".") && translated(text.slice(0, -1)); // a part that stands at the end of a sentence
        return said ? said + "。" : undefined;
    }

    function translated(spaced) {
        const text = spaced.trim();
        if (!/[A-Za-z]/.test(text)) return undefined;
        if (!cache.has(text)) {
            if (cache.size > CACHED) cache.clear();
            cache.set(text, lookUp(text));
        }
        return cache.get(text);
    }

    // ---- on the page

    function translateText(node) {
        if (!node.parentElement || node.parentElement.closest(UNTRANSLATED)) return;
        const said = translated(node.data);
        if (said && said !== node.data) node.data = said;
    }

    function translateAttributes(element) {
        if (element.matches("li") || element.closest("[translate=no]")) return;
        for (const name of ATTRIBUTES) {
            const said = element.hasAttribute(name) && translated(element.getAttribute(name));
            if (said && said !== element.getAttribute(name)) element.setAttribute(name, said);
        }
    }

    function translateAll(node) {
        if (node.nodeType === Node.TEXT_NODE) return translateText(node);
        if (node.nodeType !== Node.ELEMENT_NODE) return;
        translateAttributes(node);
        node.childNodes.forEach(translateAll);
    }

    function added(node) {
        const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
        if (element && element.closest(OURS)) translateAll(node);
        else if (element === node) node.querySelectorAll(OURS).forEach(translateAll);
    }

    function changed({type, target, addedNodes}) {
        if (type === "childList") addedNodes.forEach(added);
        else if (type === "characterData") added(target);
        else if (target.closest(OURS)) translateAttributes(target);
    }

    added(document.documentElement);
    new MutationObserver((changes) => changes.forEach(changed)).observe(
        document.documentElement, {childList: true, characterData: true, subtree: true, attributeFilter: ATTRIBUTES});
})();
