"""Cards, presets, changed settings, search and TOML in a real browser."""

import pytest
from browser import choose_tab, chromium, create, fill, import_settings, unfold
from helpers import quick_run

from extension_lib.overnight.queue import queue_of
from extension_lib.workspaces import workspace

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")]


def shows(page, elem_id, value):
    """Waits until a component's field has this value."""
    page.wait_for_function(
        f"() => document.querySelector('#{elem_id} textarea, #{elem_id} input')?.value === '{value}'")


def changed(page, text):
    page.wait_for_function(f"() => document.querySelector('#darkroom_starts').innerText.includes('{text}')")


def nothing_changed(page):
    page.wait_for_function("() => document.querySelector('.darkroom-starts')?.innerText === ''")


def test_a_tile_chooses_its_workspace_by_mouse_and_by_key(page):
    create(page, "one")
    create(page, "two")
    page.locator(".darkroom-tile", has_text="one").click()
    shows(page, "darkroom_workspace", "one")
    page.locator(".darkroom-tile", has_text="two").press("Enter")
    shows(page, "darkroom_workspace", "two")
    assert page.locator(".darkroom-tile[aria-pressed=true] b").inner_text() == "two"


def test_a_workspace_is_renamed_duplicated_and_deleted(page, host):
    create(page, "old")
    unfold(page, "Rename, duplicate")
    fill(page, "darkroom_rename_to", "new")
    page.click("#darkroom_rename")
    page.wait_for_selector("#darkroom_manage_answer >> text=Renamed old to new")
    shows(page, "darkroom_rename_to", "")
    fill(page, "darkroom_rename_to", "newer")
    page.click("#darkroom_duplicate")
    page.wait_for_selector("#darkroom_manage_answer >> text=Created newer, a duplicate of new")
    page.click("#darkroom_delete")
    page.wait_for_selector("#darkroom_manage_answer >> text=Moved newer to the trash")
    assert (host.folders.workspaces / "trash" / "newer" / "run.toml").exists()
    names = list(workspace.workspace_names(host.folders.workspaces))
    assert "new" in names and "newer" not in names
    page.locator("#darkroom_trash input").click()
    page.get_by_role("option", name="newer").click()
    page.click("#darkroom_restore")
    page.wait_for_selector("#darkroom_manage_answer >> text=newer was restored")
    shows(page, "darkroom_workspace", "newer")


def test_an_import_says_what_it_could_not_take_over(page, tmp_path):
    create(page, "before")  # whose name is not the import's
    path = tmp_path / "kohya 设置.json"
    path.write_text('{"LoRA_type": "Standard", "train_batch_size": 3, "network_dim": 5, "color_aug": true}',
                    encoding="utf-8")
    import_settings(page, path)
    page.wait_for_selector("#darkroom_import_answer >> text=color_aug")
    choose_tab(page, "Train")
    shows(page, "darkroom_training_batch_size", "3")
    changed(page, "Rank 5")


def test_a_changed_setting_is_marked_and_goes_back_alone_or_with_all(page):
    create(page, "changed")
    choose_tab(page, "Train")
    nothing_changed(page)
    fill(page, "darkroom_training_steps", 123)
    fill(page, "darkroom_training_seed", 9)
    changed(page, "2 changed")
    page.locator("#darkroom_training_seed.darkroom-changed .darkroom-back").click()
    shows(page, "darkroom_training_seed", "0")
    changed(page, "1 changed")
    page.click("#darkroom_back_all")
    nothing_changed(page)
    shows(page, "darkroom_training_steps", "400")


def test_a_preset_marks_what_it_changes_in_parts_that_are_folded(page):
    create(page, "small card")
    choose_tab(page, "Train")
    page.locator("#darkroom_preset input").click()
    page.get_by_role("option", name="Graphics card with 6 GB").click()
    page.click("#darkroom_preset_apply")
    changed(page, "Gradient checkpointing on")
    page.locator("#darkroom_starts .darkroom-back", has_text="Gradient checkpointing").click()
    page.wait_for_function("() => !document.querySelector('#darkroom_starts').innerText.includes('checkpointing')")


def test_a_search_shows_only_what_has_the_words_and_folds_again_after(page):
    create(page, "searched")
    choose_tab(page, "Train")
    fill(page, "darkroom_search", "mirrored")
    page.wait_for_selector("#darkroom_data_flip", state="visible")
    assert not page.is_visible("#darkroom_training_steps")
    fill(page, "darkroom_search", "")
    page.wait_for_selector("#darkroom_training_steps", state="visible")
    page.wait_for_selector("#darkroom_data_flip", state="hidden")


def test_only_what_is_changed_can_be_shown(page):
    create(page, "few")
    choose_tab(page, "Train")
    nothing_changed(page)
    fill(page, "darkroom_training_seed", 9)
    changed(page, "1 changed")
    page.locator("#darkroom_only_changed input").click()
    page.wait_for_selector("#darkroom_training_steps", state="hidden")
    assert page.is_visible("#darkroom_training_seed")


def test_a_run_is_written_down_saved_and_pasted(page, host):
    create(page, "written")
    choose_tab(page, "Train")
    unfold(page, "Save, copy or paste")
    page.click("#darkroom_toml_write")
    page.wait_for_function("() => document.querySelector('#darkroom_toml textarea').value.includes('steps = 400')")
    fill(page, "darkroom_toml", "training.steps = 55\ndata.flip = true")
    page.click("#darkroom_toml_apply")
    shows(page, "darkroom_training_steps", "55")
    changed(page, "Mirror on")
    fill(page, "darkroom_preset_name", "mine 快")
    page.click("#darkroom_preset_save")
    page.wait_for_selector("#darkroom_preset_saved >> text=Saved as mine")
    assert (host.folders.workspaces / "presets" / "mine 快.toml").exists()


def test_the_queue_is_ordered_by_dragging_and_by_keys(page, host, folder):
    queue = queue_of(host.folders)
    ids = [str(queue.add(quick_run(folder, output={"name": name}), name).id) for name in ("a", "b", "c")]
    choose_tab(page, "Queue")

    def order(wanted):
        page.wait_for_function("""wanted => [...document.querySelectorAll("#darkroom_queue_table tr[data-id] th")]
                                            .map(name => name.innerText).join("") === wanted""", arg=wanted)

    order("abc")
    page.locator(f"tr[data-id='{ids[0]}']").drag_to(page.locator(f"tr[data-id='{ids[1]}']"))
    order("bac")
    page.locator(f"tr[data-id='{ids[2]}'] [data-queue^=up]").press("Enter")
    order("bca")
    page.wait_for_function("id => document.activeElement.dataset.queue === `up ${id}`", arg=ids[2])
    page.keyboard.press("Enter")
    order("cba")
    assert [row.name for row in queue.rows()] == ["c", "b", "a"]
