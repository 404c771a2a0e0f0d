/*
 * What the page does in a browser besides what htmx does: numbers and times in the form of the browser's locale, updates every 2 s while
 * it is visible, the key / for the search, and charts over their tables. Without it everything can still be read.
 */
;(() => {
  const POLL_MS = 2_000
  const POLL_MS_MAX = 60_000
  const ANSWER_MS_MAX = 15_000

  const locales = [...navigator.languages]
  const formats = new Map()

  function numberFormat(options) {
    const key = JSON.stringify(options)
    if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locales, options))
    return formats.get(key)
  }

  function withDecimals(count, options) {
    return numberFormat({ minimumFractionDigits: count, maximumFractionDigits: count, signDisplay: 'negative', ...options })
  }

  /** Browsers do not agree on how many decimals a currency has, so an amount has those of its value. */
  function moneyFormat(currency, value = '') {
    return withDecimals(value.split('.')[1]?.length ?? 0, { style: 'currency', currency })
  }

  function numberText({ value, dataset: { digits = '0', currency, share } }) {
    if (currency !== undefined) return moneyFormat(currency, value).format(value)
    return withDecimals(Number(digits), share === undefined ? {} : { style: 'percent' }).format(value)
  }

  const instants = new Intl.DateTimeFormat(locales, { dateStyle: 'medium', timeStyle: 'short' })
  const fullInstants = new Intl.DateTimeFormat(locales, { dateStyle: 'full', timeStyle: 'long' })
  const shortDays = new Intl.DateTimeFormat(locales, { month: 'short', day: 'numeric', timeZone: 'UTC' })
  const days = new Intl.DateTimeFormat(locales, { dateStyle: 'medium', timeZone: 'UTC' })

  /** Writes numbers and times as the browser's locale does. */
  function localise(root) {
    for (const data of root.querySelectorAll('data[value].n')) data.textContent = numberText(data)
    for (const time of root.querySelectorAll('time[datetime]')) {
      const { form } = time.dataset
      const date = new Date(time.dateTime)
      if (form === 'day') time.textContent = days.format(date)
      else time.title = fullInstants.format(date)
      if (form === 'instant') time.textContent = instants.format(date)
    }
  }

  /** The same for a part that has not been put in its place, so that what did not change keeps its selection. */
  function localisedText(text) {
    const template = document.createElement('template')
    template.innerHTML = text
    localise(template.content)
    return template.innerHTML
  }

  // Charts

  const plots = new Map()
  /** The distances between the marks of an axis of days, in seconds. */
  const DAY_STEPS = [1, 2, 7, 14, 28, 56, 112].map((step) => step * 86_400)

  function drawCharts() {
    if (typeof uPlot === 'undefined') return
    for (const [id, { plot, figure }] of plots) {
      if (figure.isConnected) continue
      plot.destroy()
      plots.delete(id)
    }
    for (const figure of document.querySelectorAll('figure[data-chart]')) drawChart(figure)
  }

  function drawChart(figure) {
    const id = figure.dataset.chart
    const { labels, data } = dataOf(figure)
    const known = plots.get(id)
    // What a chart is drawn by, besides its numbers.
    const form = JSON.stringify([figure.dataset.currency, labels])
    if (known !== undefined && known.figure === figure && known.form === form) {
      known.plot.setData(data)
      return
    }
    known?.plot.destroy()
    const place = figure.querySelector('.plot')
    place.replaceChildren()
    const plot = new uPlot(optionsOf(figure, place, labels), data, place)
    plots.set(id, { plot, figure, form })
  }

  /** The legend of a plot is a table too. */
  function tableOf(figure) {
    return figure.querySelector('details table')
  }

  /** The rows of a chart's table. */
  function dataOf(figure) {
    const table = tableOf(figure)
    const rows = [...table.querySelectorAll('tbody tr')]
    const labels = [...table.querySelectorAll('thead th')].slice(1).map((head) => head.textContent)
    const times = rows.map((row) => Date.parse(row.querySelector('time').dateTime) / 1_000)
    const valuesOf = (index) => rows.map((row) => Number(row.querySelectorAll('data')[index].value))
    return { labels, data: [times, ...labels.map((_label, index) => valuesOf(index))] }
  }

  function sizeOf(place) {
    const style = getComputedStyle(place)
    return { width: place.clientWidth, height: parseFloat(style.getPropertyValue('--chart-height')) * parseFloat(style.fontSize) }
  }

  function optionsOf(figure, place, labels) {
    const style = getComputedStyle(document.documentElement)
    const colour = (name) => style.getPropertyValue(name).trim()
    const isDays = /^\d{4}-\d\d-\d\d$/.test(tableOf(figure).querySelector('time')?.dateTime ?? '')
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
    const font = `${parseFloat(style.fontSize) * 0.85}px system-ui`
    const { currency } = figure.dataset
    const format = currency === undefined ? numberFormat({}) : moneyFormat(currency, tableOf(figure).querySelector('data')?.value)
    const rounded = currency === undefined ? format : moneyFormat(currency)
    const inDays = isDays && {
      incrs: DAY_STEPS,
      values: (_plot, times) => times.map((seconds) => shortDays.format(seconds * 1_000)),
    }
    return {
      ...sizeOf(place),
      ...(isDays && { tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC') }),
      // Room for half of the last mark of the axis.
      padding: [null, 28, null, null],
      legend: { live: true },
      cursor: { y: false },
      axes: [
        { ...axis, font, ...inDays },
        { ...axis, font, size: 64, values: (_plot, values) => values.map((value) => rounded.format(value)) },
      ],
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(max, 1)] } },
      series: [
        { value: (_plot, seconds) => (seconds === null ? '' : (isDays ? days : instants).format(seconds * 1_000)) },
        ...labels.map((label, index) => ({
          label,
          stroke: colour(`--series-${(index % 6) + 1}`),
          width: 1.5,
          points: { show: false },
          value: (_plot, value) => (value === null ? '' : format.format(value)),
        })),
      ],
    }
  }

  // Updates

  const view = document.getElementById('view')
  const live = document.getElementById('live')
  let isPaused = false
  let waitMs = POLL_MS
  let answeredMs = Date.now()
  let timer

  function say(id, text) {
    const element = document.getElementById(id)
    if (element !== null && element.textContent !== text) element.textContent = text
  }

  async function update() {
    const address = location.href
    try {
      const answer = await fetch(address, { headers: { 'HX-Request': 'true' }, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
      // The session has ended: the whole page leads to the form for signing in.
      if (answer.status === 401) return location.reload()
      // A filter of the address is wrong, which the view says.
      if (!answer.ok && answer.status !== 400) throw new Error(`status ${answer.status}`)
      const text = localisedText(await answer.text())
      if (isPaused || address !== location.href) return
      await htmx.swap({ text, swap: 'none', target: view, sourceElement: view })
      answered()
    } catch {
      waitMs = Math.min(waitMs * 2, POLL_MS_MAX)
      say('live-status', 'The server does not answer. The numbers are those of its last answer.')
    }
  }

  function answered() {
    answeredMs = Date.now()
    if (waitMs > POLL_MS) say('live-status', 'The server answers again.')
    waitMs = POLL_MS
  }

  function schedule() {
    clearTimeout(timer)
    if (isPaused || document.visibilityState !== 'visible') return
    timer = setTimeout(updateNow, waitMs)
  }

  function updateNow() {
    clearTimeout(timer)
    void update().finally(schedule)
  }

  function showAge() {
    const seconds = Math.round((Date.now() - answeredMs) / 1_000)
    const isLate = !isPaused && seconds > 5
    say('last-answer', isPaused ? 'Paused' : isLate ? `Last answer ${seconds} s ago` : 'Live')
    live.classList.toggle('late', isLate)
    live.classList.toggle('paused', isPaused)
  }

  function startUpdates() {
    if (live === null || view.dataset.live === undefined) return
    live.hidden = false
    const pause = document.getElementById('pause')
    pause.addEventListener('click', () => {
      isPaused = !isPaused
      pause.textContent = isPaused ? 'Go on' : 'Pause'
      say('live-status', isPaused ? 'Updates are paused.' : 'Updates go on.')
      if (isPaused) clearTimeout(timer)
      else updateNow()
      showAge()
    })
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && !isPaused) updateNow()
      else clearTimeout(timer)
    })
    setInterval(showAge, 1_000)
    showAge()
    schedule()
  }

  // Keys

  function isTyping(element) {
    return element?.matches('input, textarea, select, [contenteditable]') === true
  }

  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    const search = document.getElementById('search')
    if (search === null) return
    event.preventDefault()
    search.focus()
  })

  document.addEventListener('htmx:after:swap', () => {
    localise(document)
    drawCharts()
  })
  // What a person opened stays open. The configuration in the document takes no lists.
  htmx.config.morphIgnore.push('open')
  // An address has the filters that are set.
  document.addEventListener('htmx:config:request', ({ detail: { ctx } }) => {
    const { method, body } = ctx.request
    if (method === 'GET') for (const [name, value] of [...body]) if (value === '') body.delete(name)
  })
  // A form that is sent twice leaves one entry in the history, so that the first step back leads away from it.
  document.addEventListener('htmx:before:history:update', ({ detail: { history } }) => {
    if (history.path === location.pathname + location.search) history.type = 'replace'
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const { plot } of plots.values()) plot.destroy()
    plots.clear()
    drawCharts()
  })
  addEventListener('resize', () => {
    for (const { plot, figure } of plots.values()) plot.setSize(sizeOf(figure.querySelector('.plot')))
  })
  localise(document)
  drawCharts()
  startUpdates()
})()
