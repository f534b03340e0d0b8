'use strict';
(() => {
  const state = JSON.parse(document.getElementById('data').textContent);
  const $ = (id) => document.getElementById(id);
  const base = new URL('.', location.href);
  const most = 100;

  // Everything from the archive becomes text nodes and checked links, never markup.
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const packageLink = (name) => make('a', { href: 'index.html#package=' + encodeURIComponent(name) }, name);
  const fileLink = (path, text) => make('a', { href: path.split('/').map(encodeURIComponent).join('/') }, text);
  const webLink = (text) => {
    try {
      const url = new URL(text);
      if (url.protocol === 'https:' || url.protocol === 'http:') return make('a', { href: url.href, rel: 'noreferrer' }, text);
    } catch { /* Shown as text. */ }
    return text;
  };

  const copyButton = (block) => {
    const button = make('button', { type: 'button' }, 'Copy');
    button.addEventListener('click', async () => {
      const text = block.querySelector('code').textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = 'Copied';
      } catch {
        getSelection().selectAllChildren(block.querySelector('code'));
        button.textContent = 'Selected';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    });
    block.append(button);
  };
  const code = (text) => {
    const block = make('div', { class: 'code' }, make('pre', {}, make('code', {}, text)));
    copyButton(block);
    return block;
  };

  // Parts are named by their digests, so a browser never asks for one again.
  const parts = new Map();
  const read = (digest) => {
    if (!parts.has(digest)) {
      const part = (async () => {
        const response = await fetch(new URL('page/' + digest + '.gz', base), { cache: 'force-cache' });
        if (!response.ok) throw new Error('part');
        const bytes = new Uint8Array(await response.arrayBuffer());
        // Some servers name the compression as an encoding, which the browser then undoes.
        if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return JSON.parse(new TextDecoder().decode(bytes));
        const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
        return JSON.parse(await new Response(stream).text());
      })();
      part.catch(() => parts.delete(digest));
      parts.set(digest, part);
    }
    return parts.get(digest);
  };
  const suites = Object.entries(state.suites);
  const failed = () => location.protocol === 'file:'
    ? 'The packages can be read only from a web server.'
    : 'The packages cannot be read; the archive may have changed since this page was loaded: load it again.';

  // Search.
  let index = null;
  const load = () => {
    index ??= (async () => {
      const names = new Map();
      for (const [suite, { manifest }] of suites) {
        const { search } = await read(manifest);
        for (const rows of await Promise.all(search.map((part) => read(part[1])))) {
          for (const [name, version, summary] of rows) {
            const row = names.get(name);
            if (row) row.versions.push([suite, version]);
            else names.set(name, { name, summary, low: name.toLowerCase(), text: summary.toLowerCase(), versions: [[suite, version]] });
          }
        }
      }
      return [...names.values()];
    })();
    index.catch(() => { index = null; });
    return index;
  };
  const rank = (row, words) => {
    let sum = 0;
    for (const word of words) {
      const at = row.low.indexOf(word);
      if (row.low === word) sum += 0;
      else if (at === 0) sum += 1;
      else if (at > 0) sum += 2;
      else if (row.text.includes(word)) sum += 4;
      else return -1;
    }
    return sum;
  };
  const query = $('query');
  let asked = 0;
  const search = async () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const mine = ++asked;
    if (!words.length) {
      $('found').replaceChildren();
      $('status').textContent = '';
      return;
    }
    let rows;
    try {
      if (index === null) $('status').textContent = 'Loading the list of packages…';
      rows = await load();
    } catch {
      $('status').textContent = failed();
      return;
    }
    if (mine !== asked) return;
    const ranked = [];
    for (const row of rows) {
      const place = rank(row, words);
      if (place >= 0) ranked.push([place, row]);
    }
    ranked.sort((a, b) => a[0] - b[0] || (a[1].low < b[1].low ? -1 : 1));
    const shown = ranked.slice(0, most).map(([, row]) => make('li', {}, make('a',
      { href: 'index.html#package=' + encodeURIComponent(row.name) },
      make('strong', {}, row.name), ' ',
      make('span', { class: 'dim' }, row.versions.map(([suite, version]) => suite + ' ' + version).join(', ')),
      make('br'), row.summary)));
    $('found').replaceChildren(...shown);
    const all = ranked.length === 1 ? '1 package' : ranked.length + ' packages';
    $('status').textContent = ranked.length > most ? all + ', the first ' + most + ' are shown' : all;
  };
  query.addEventListener('input', search);
  query.addEventListener('focus', () => load().catch(() => {}), { once: true });
  $('find').addEventListener('keydown', (event) => {
    const links = [query, ...$('found').querySelectorAll('a')];
    const at = links.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && at >= 0 && links[at + step]) {
      links[at + step].focus();
      event.preventDefault();
    } else if (event.key === 'Escape') {
      query.value = '';
      query.focus();
      search();
    } else if (event.key === 'Enter' && at === 0 && links[1]) {
      links[1].click();
    }
  });
  document.addEventListener('keydown', (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      query.focus();
      event.preventDefault();
    }
  });

  // Packages.
  const fields = (stanza) => {
    const map = new Map();
    let last = null;
    for (const line of stanza.split('\n')) {
      if (/^[ \t]/.test(line)) {
        if (last) map.set(last, map.get(last) + '\n' + line);
      } else {
        const at = line.indexOf(':');
        last = at > 0 ? line.slice(0, at).toLowerCase() : null;
        if (last) map.set(last, line.slice(at + 1).trim());
      }
    }
    return map;
  };
  const relations = (text) => {
    const box = make('span');
    for (const piece of text.replace(/\s+/g, ' ').split(/([,|])/)) {
      const found = /^(\s*)([a-z0-9][a-z0-9+.-]*)(.*)$/is.exec(piece);
      if (found) box.append(found[1], packageLink(found[2]), found[3]);
      else box.append(piece === '|' ? '|' : piece);
    }
    return box;
  };
  const described = (text) => {
    const [first, ...rest] = text.split('\n');
    const lines = rest.map((line) => line.trim() === '.' ? '' : line.slice(1));
    return [make('p', {}, make('strong', {}, first)), rest.length ? make('p', { class: 'text' }, lines.join('\n')) : null];
  };
  const size = (bytes) => {
    const units = ['B', 'KiB', 'MiB', 'GiB'];
    let unit = 0;
    while (bytes >= 1024 && unit < 3) { bytes /= 1024; unit += 1; }
    return (unit ? bytes.toFixed(1) : bytes) + ' ' + units[unit];
  };
  const relationships = ['Pre-Depends', 'Depends', 'Recommends', 'Suggests', 'Enhances', 'Breaks', 'Conflicts', 'Replaces', 'Provides', 'Build-Depends', 'Build-Depends-Arch', 'Build-Depends-Indep'];
  const changelog = (suite, row, map) => {
    if (!suite.changelogs || !/^https?:/.test(suite.changelogs) || row.kind === 'dsc') return null;
    const [, source, , version] = /^(\S+)(\s+\((.*)\))?/.exec(map.get('source') || row.name) || [];
    const bare = (version || row.version).replace(/^\d+:/, '');
    const start = source.startsWith('lib') ? source.slice(0, 4) : source.slice(0, 1);
    const path = [...row.component.split('/'), start, source, source + '_' + bare].map(encodeURIComponent).join('/');
    return webLink(suite.changelogs.replace('@CHANGEPATH@', path));
  };
  const article = (row, suite, name) => {
    const map = fields(row.stanza);
    const list = make('dl');
    const add = (label, value) => { if (value) list.append(make('dt', {}, label), make('dd', {}, value)); };
    const text = (field) => map.get(field.toLowerCase());
    const one = (field) => text(field)?.replace(/\s+/g, ' ');
    add('Suite', name);
    add('Component', row.component);
    add('Architecture', row.kind === 'dsc' ? 'source' : row.architecture === 'all' ? 'all (in ' + row.listed.join(', ') + ')' : row.architecture);
    const phase = text('Phased-Update-Percentage');
    if (phase) add('Offered', 'to ' + phase + ' % of machines');
    for (const field of relationships) if (text(field)) add(field, relations(text(field)));
    add('Source', one('Source'));
    add('Section', one('Section'));
    add('Maintainer', one('Maintainer'));
    if (text('Homepage')) add('Homepage', webLink(text('Homepage')));
    add('Changelog', changelog(suite, row, map));
    if (/^\d+$/.test(text('Installed-Size') || '')) add('Installed', size(Number(text('Installed-Size')) * 1024));
    if (row.kind === 'dsc') {
      const folder = text('Directory') || '.';
      for (const line of (text('Checksums-Sha256') || text('Files') || '').trim().split('\n')) {
        const [digest, bytes, file] = line.trim().split(/\s+/);
        if (file) add('File', make('span', {}, fileLink(folder + '/' + file, file), ' ' + size(Number(bytes)) + ' ', make('code', {}, digest)));
      }
    } else if (text('Filename')) {
      const path = text('Filename').replace(/^\.\//, '');
      add('Download', fileLink(path, path.split('/').pop()));
      if (/^\d+$/.test(text('Size') || '')) add('Size', size(Number(text('Size'))));
      if (text('SHA256')) add('SHA-256', make('code', {}, text('SHA256')));
    }
    const heading = row.kind === 'deb' ? row.version : row.version + ' (' + (row.kind === 'dsc' ? 'source' : row.kind) + ')';
    return make('article', {}, make('h3', {}, heading), ...described(text('Description') || ''), list,
      row.kind === 'deb' ? code('sudo apt install ' + row.name + '=' + row.version + '\n') : null);
  };
  const ofName = async (name) => {
    const all = [];
    for (const [suite, of] of suites) {
      const { packages } = await read(of.manifest);
      // The last part whose first name is not after this one, in the order of UTF-8.
      const bytes = (text) => unescape(encodeURIComponent(text));
      let last = null;
      for (const part of packages) if (bytes(part[0]) <= bytes(name)) last = part;
      if (last) for (const row of await read(last[1])) if (row.name === name) all.push([suite, of, row]);
    }
    return all;
  };
  const title = document.title;
  const named = () => {
    const text = location.hash.slice('#package='.length);
    // A link that is cut inside a character names no package.
    try { return decodeURIComponent(text); } catch { return text; }
  };
  let views = 0;
  const show = async () => {
    // Other anchors are places in the view that is shown.
    if (location.hash && !location.hash.startsWith('#package=')) return;
    const name = location.hash ? named() : null;
    const mine = ++views;
    const box = $('package');
    $('start').hidden = name !== null;
    box.hidden = name === null;
    document.title = name === null ? title : name + ' - ' + title;
    if (name === null) return;
    const back = make('p', {}, make('a', { href: 'index.html' }, 'About this archive'));
    box.replaceChildren(back, make('h2', { tabindex: '-1' }, name));
    query.value = '';
    search();
    let found;
    try {
      const all = await ofName(name);
      found = all.map(([suite, of, row]) => article(row, of, suite));
      if (!all.length) found.push(make('p', {}, 'No suite of this archive has a package of this name; another package may provide it.'));
    } catch {
      found = [make('p', { role: 'alert' }, failed())];
    }
    // Another package may have been opened while the parts of this one were read.
    if (mine !== views) return;
    box.append(...found);
    box.querySelector('h2').focus();
  };
  addEventListener('hashchange', show);
  document.querySelector('h1 a').addEventListener('click', (event) => {
    if (location.hash) { history.pushState(null, '', 'index.html'); show(); }
    event.preventDefault();
  });

  document.querySelector('.skip').addEventListener('click', (event) => {
    // The anchor would leave the package, which is one too.
    $('main').focus();
    $('main').scrollIntoView();
    event.preventDefault();
  });

  // Install.
  const blocks = [...document.querySelectorAll('#commands > div')];
  if (!state.url) {
    // Its own address is the best that is known where no other is configured; characters of a shell are escaped.
    const own = base.href.replace(/\/$/, '')
      .replace(/[^A-Za-z0-9:/._~%[\]-]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
    for (const text of document.querySelectorAll('#commands code')) {
      text.textContent = text.textContent.replaceAll('https://PUBLIC-URL', own);
    }
  }
  const choice = $('suite');
  if (choice) {
    const choose = () => { for (const block of blocks) block.hidden = block.dataset.suite !== choice.value; };
    for (const block of blocks) block.querySelector('h3').hidden = true;
    choice.parentElement.hidden = false;
    choice.addEventListener('change', choose);
    choose();
  }
  document.querySelectorAll('.code').forEach(copyButton);
  $('find').hidden = false;
  show();
})();
