import type { Argument, Command, Option } from 'commander'
import { COMMANDS } from '../commands/all.ts'
import { code, pageOf, plain, tableOf } from './markdown.ts'

const INTRO = `Inside the checkout \`./footfall\` runs these commands, and inside a container \`footfall\` does.
\`./footfall <command> --help\` says more, with examples; settings of all commands are in [configuration](configuration.md).
A command ends with 0, with 1 when it failed, and with 2 when its command line is wrong; its help lists other statuses.`

/** Every command with its arguments and options, as commander has them. */
export async function commandsPage(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map(async (load) => load()))
  const overview = commands.map((command) => [linkOf(command.name()), plain(command.description())])
  return pageOf({
    title: 'Commands',
    intro: INTRO,
    source: 'src/cli/commands',
    sections: [tableOf(['command', 'description'], overview), ...commands.flatMap((command) => sectionsOf(command, '##'))],
  })
}

function linkOf(name: string): string {
  return `[${code(name)}](#${name})`
}

/** A command, and below it its subcommands. */
function sectionsOf(command: Command, heading: string, parents = ''): string[] {
  const name = `${parents}${command.name()}`
  const rows = [...command.registeredArguments.map(argumentRow), ...command.options.map(optionRow)]
  return [
    `${heading} ${name}`,
    ...(rows.length === 0 ? [] : [code(`footfall ${name} ${command.usage()}`)]),
    plain(command.description()),
    ...(rows.length === 0
      ? []
      : [tableOf(...withoutEmptyColumns(['argument or option', 'meaning', 'default', 'allowed'], rows))]),
    ...command.commands.flatMap((subcommand) => sectionsOf(subcommand, `${heading}#`, `${name} `)),
  ]
}

function withoutEmptyColumns(head: string[], rows: string[][]): [string[], string[][]] {
  const isFilled = (_: string, column: number) => rows.some((row) => row[column] !== '')
  return [head.filter(isFilled), rows.map((row) => row.filter(isFilled))]
}

function argumentRow(argument: Argument): string[] {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`
  const { required, description, defaultValue, argChoices } = argument
  return [code(required ? `<${name}>` : `[${name}]`), plain(description), defaultOf(defaultValue), allowedOf(argChoices)]
}

function optionRow({ flags, description, defaultValue, argChoices, envVar, negate }: Option): string[] {
  const variable = envVar === undefined ? '' : ` (or ${code(envVar)} in the environment)`
  return [code(flags), plain(description) + variable, negate ? '' : defaultOf(defaultValue), allowedOf(argChoices)]
}

function defaultOf(value: unknown): string {
  if (value === undefined) return ''
  return code(typeof value === 'string' ? value : JSON.stringify(value))
}

function allowedOf(choices: readonly string[] | undefined): string {
  return (choices ?? []).map(code).join(', ')
}
