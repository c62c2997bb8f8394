// Says the page's texts in the reader's language. In the WebUI the translations are window.localization, and whole texts are replaced by
// the WebUI itself; standalone they are those of window.darkroomLanguages that fit the browser. A key with {} stands for a sentence with
// values. In its translation {} is a value as it is and {text} one that is translated too; a number, as in {2}, says which.
(function () {
    const OURS = "#darkroom_tabs, #darkroom_corner, #darkroom_notice, #darkroom_retry";
    const AS_IT_IS = "[translate=no], textarea, script, style, code, pre, .darkroom-names li, .darkroom-names .token";
    const SPOKEN = ["title", "placeholder", "aria-label"];
    const NUMBER = "([-\\d.,:×+%e]+?)", ANYTHING = "(.*?)";
    const KEPT = 2000; // texts that are remembered with their translations
    const JOINTS = [["; ", "；"], [": ", "："], [" · ", " · "]];

    // ---- which language

    function fitting(languages) {
        const names = Object.keys(languages);
        for (const wanted of navigator.languages.map((name) => name.replace("-", "_").toLowerCase())) {
            const base = wanted.split("_")[0];
            const found = names.find((name) => name.toLowerCase() === wanted) || names.find((name) => name.split("_")[0] === base);
            if (found) document.documentElement.lang = found.replace("_", "-");
            if (found || base === "en") return languages[found] || {};
        }
        return {};
    }

    const known = window.darkroomLanguages ? fitting(window.darkroomLanguages) : window.localization || {};
    if (Object.keys(known).length === 0) return;

    // ---- what a text is in it

    const letters = (key) => key.replaceAll("{}", "").replace(/[^A-Za-z]/g, "").length;
    const exactly = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

    // What is hardly more than its values would fit too much, were they not numbers.
    const ofNumbers = (key) => key.startsWith("{}") && (letters(key) < 5 || /^\{\} [a-z ]{1,11}$/.test(key));

    function pattern(key) {
        const value = ofNumbers(key) ? NUMBER : ANYTHING;
        return {fits: new RegExp("^" + key.split("{}").map(exactly).join(value) + "$", "s"), said: known[key]};
    }

    const patterns = Object.keys(known).filter((key) => key.includes("{}")).sort((a, b) => letters(b) - letters(a)).map(pattern);
    const remembered = new Map();

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

    // Texts are put together from others: sentences, lists, a name and what is said of it.
    function inParts(text) {
        const sentences = text.replace(/([.!?]) (?=[A-Z])/g, "$1\n").split("\n");
        return [[sentences, ""], ...JOINTS.map(([apart, joint]) => [text.split(apart), joint])]
            .filter(([parts]) => parts.length > 1)
            .map(([parts, joint]) => [parts, parts.map(translated), joint])
            .filter(([_, said]) => said.some(Boolean))
            .map(([parts, said, joint]) => said.map((one, n) => one || parts[n]).join(joint));
    }

    // A sentence may fit several keys; the one that leaves the least untranslated is meant.
    function looked(text) {
        if (Object.hasOwn(known, text)) return known[text];
        const found = [...byPatterns(text), ...inParts(text)];
        if (found.length) return found.reduce((best, one) => (letters(one) < letters(best) ? one : best));
        const said = text.endsWith(".") && translated(text.slice(0, -1)); // part of a sentence, put at the end of another
        return said ? said + "。" : undefined;
    }

    function translated(spaced) {
        const text = spaced.trim();
        if (!/[A-Za-z]/.test(text)) return undefined;
        if (!remembered.has(text)) {
            if (remembered.size > KEPT) remembered.clear();
            remembered.set(text, looked(text));
        }
        return remembered.get(text);
    }

    // ---- on the page

    function sayText(node) {
        if (!node.parentElement || node.parentElement.closest(AS_IT_IS)) return;
        const said = translated(node.data);
        if (said && said !== node.data) node.data = said;
    }

    function sayAttributes(element) {
        if (element.matches("li") || element.closest("[translate=no]")) return;
        for (const name of SPOKEN) {
            const said = element.hasAttribute(name) && translated(element.getAttribute(name));
            if (said && said !== element.getAttribute(name)) element.setAttribute(name, said);
        }
    }

    function sayAll(node) {
        if (node.nodeType === Node.TEXT_NODE) return sayText(node);
        if (node.nodeType !== Node.ELEMENT_NODE) return;
        sayAttributes(node);
        node.childNodes.forEach(sayAll);
    }

    function added(node) {
        const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
        if (element && element.closest(OURS)) sayAll(node);
        else if (element === node) node.querySelectorAll(OURS).forEach(sayAll);
    }

    function changed({type, target, addedNodes}) {
        if (type === "childList") addedNodes.forEach(added);
        else if (type === "characterData") added(target);
        else if (target.closest(OURS)) sayAttributes(target);
    }

    added(document.documentElement);
    new MutationObserver((changes) => changes.forEach(changed)).observe(
        document.documentElement, {childList: true, characterData: true, subtree: true, attributeFilter: SPOKEN});
})();
